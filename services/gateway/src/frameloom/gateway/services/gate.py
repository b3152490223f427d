"""The upload gate: bytes arrive in quarantine, and what has been examined leaves it.

Whoever brings bytes, by whatever way, does two things. It lets them arrive under the quarantine key of a new
job (:meth:`MediaGate.receive` for a stream; a resumable or a direct upload writes there itself), and hands
what has arrived to :meth:`MediaGate.admit`. That examines it and answers an :class:`Admitted`, from which
``SubmissionService.accept`` makes the job of the same id. What is refused is gone from the bucket when the
refusal is raised; what a killed gateway left in quarantine is swept by the results service.
"""

from __future__ import annotations

import asyncio
import hashlib
import zlib
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace

import structlog

from frameloom.common import layout
from frameloom.common.documents import MediaFacts, MediaRef
from frameloom.common.errors import TransientError
from frameloom.common.media.sniffing import HEAD_BYTES, sniff
from frameloom.common.ports.objects import ObjectStore
from frameloom.gateway.errors import (
    BusyError,
    InvalidRequestError,
    PayloadTooLargeError,
    UnsupportedMediaError,
)
from frameloom.gateway.services.media import clean_filename

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """What is taken in.

    Attributes:
        max_bytes: Largest media file.
        concurrent: How many uploads are stored at once; further ones wait.
        wait_seconds: How long an upload waits for its turn.
    """

    max_bytes: int
    concurrent: int
    wait_seconds: float


@dataclass(frozen=True, slots=True)
class Quarantined:
    """An upload that lies whole under its quarantine key, and that nobody has examined.

    Attributes:
        job_id: Of the job that it is meant for; the key follows from it.
        filename: As the client gave it; what is kept of it is a name.
        size_bytes: Of the whole.
        sha256: Of the whole, if whoever received it has seen every byte; None: it is read again for that.
            None also means that somebody else wrote the object, so it must not change under the examination.
        head: Its first bytes, as far as they are at hand.
        crc32: Of the whole, as far as it is known.
    """

    job_id: str
    filename: str | None
    size_bytes: int
    sha256: str | None = None
    head: bytes = b""
    crc32: int | None = None

    @property
    def key(self) -> str:
        """Where it lies."""
        return layout.quarantined(self.job_id)


@dataclass(frozen=True, slots=True)
class Admitted:
    """An upload that has passed: its media are stored for good, but no job knows of them yet.

    Attributes:
        job_id: Of the job that it is meant for.
        media: Where its bytes lie now.
        facts: What was seen in it.
    """

    job_id: str
    media: MediaRef
    facts: MediaFacts


class MediaGate:
    """Takes uploads in, and lets out of quarantine what can be worked on."""

    def __init__(self, objects: ObjectStore, limits: UploadLimits) -> None:
        self._objects = objects
        self._limits = limits
        self._slots = asyncio.Semaphore(limits.concurrent)

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """A place for one upload; meanwhile the body waits unread in the client: back-pressure, not memory.

        Raises:
            BusyError: None became free in time.
        """
        try:
            async with asyncio.timeout(self._limits.wait_seconds):
                await self._slots.acquire()
        except TimeoutError:
            raise BusyError(
                "Too many uploads are in progress", hint="Try again in a moment, or ask another gateway."
            ) from None
        try:
            yield
        finally:
            self._slots.release()

    async def receive(
        self,
        job_id: str,
        filename: str | None,
        chunks: AsyncIterator[bytes],
        max_bytes: int | None = None,
    ) -> Quarantined:
        """Stores a stream in quarantine.

        Args:
            job_id: Of the job to be.
            filename: As the client gave it.
            chunks: The bytes. Their exceptions end the upload and pass through.
            max_bytes: A limit below the server's, such as what is left of a quota.

        Raises:
            FrameloomError: It is empty, too large, or begins as no media file does. Nothing is left of it.
        """
        limit = self._limits.max_bytes if max_bytes is None else min(max_bytes, self._limits.max_bytes)
        async with self._or_nothing(job_id), aclosing(_Measured(chunks, limit)) as measured:
            head = await measured.head(HEAD_BYTES)
            content_type = _known(head, filename)
            size = await self._objects.put_stream(layout.quarantined(job_id), measured.all(), content_type)
            return Quarantined(job_id, filename, size, measured.sha256, head, measured.crc32)

    async def admit(self, upload: Quarantined) -> Admitted:
        """Examines an upload and moves it out of quarantine.

        Raises:
            FrameloomError: It is refused, or a dependency is away. Nothing is left of it.
        """
        async with self._or_nothing(upload.job_id):
            etag = None
            if upload.sha256 is None:
                info = await self._objects.info(upload.key)
                etag = info.etag
                sha256, crc32 = await self._digest(upload, etag)
                upload = replace(upload, size_bytes=info.size_bytes, sha256=sha256, crc32=crc32)
            if not upload.head:
                upload = replace(upload, head=await self._head(upload, etag))
            content_type = _known(upload.head, upload.filename)
            facts = MediaFacts(container=content_type)
            target = layout.media(upload.job_id)
            await self._objects.copy(upload.key, target, content_type, etag=etag)
            await self._remove(upload.key)
            media = MediaRef(
                key=target,
                filename=clean_filename(upload.filename),
                size_bytes=upload.size_bytes,
                sha256=upload.sha256 or "",
                content_type=content_type,
                crc32=upload.crc32,
            )
            return Admitted(upload.job_id, media, facts)

    async def discard(self, job_id: str) -> None:
        """Removes whatever lies in the bucket for an upload that becomes no job."""
        await self._remove(layout.quarantined(job_id), layout.media(job_id))

    @asynccontextmanager
    async def _or_nothing(self, job_id: str) -> AsyncIterator[None]:
        try:
            yield
        except BaseException:
            await asyncio.shield(self.discard(job_id))
            raise

    async def _remove(self, *keys: str) -> None:
        try:
            await self._objects.delete(keys)
        except TransientError as error:
            log.warning("left behind", keys=keys, reason=str(error))

    async def _digest(self, upload: Quarantined, etag: str) -> tuple[str, int]:
        digest, crc32 = hashlib.sha256(), 0
        async for block in self._objects.read(upload.key, etag=etag):
            digest.update(block)
            crc32 = zlib.crc32(block, crc32)
        return digest.hexdigest(), crc32

    async def _head(self, upload: Quarantined, etag: str | None) -> bytes:
        blocks = self._objects.read(upload.key, offset=0, length=HEAD_BYTES, etag=etag)
        return b"".join([block async for block in blocks])


def _known(head: bytes, filename: str | None) -> str:
    """The media type by the first bytes.

    Raises:
        FrameloomError: There are none, or they are of no media file.
    """
    name = clean_filename(filename)
    if not head:
        raise InvalidRequestError(
            f"The file {name} is empty", hint="Was the upload cut off, or the path wrong?"
        )
    content_type = sniff(head)
    if content_type is None:
        raise UnsupportedMediaError(
            f"The file {name} is no video or audio file that can be read here",
            hint="Send MP4, MOV, MKV, WebM, AVI, MPEG, FLV, WAV, MP3, FLAC or Ogg.",
            detail={"filename": name},
        )
    return content_type


class _Measured:
    """Counts and hashes a stream on its way, and lets its first bytes be seen beforehand."""

    def __init__(self, chunks: AsyncIterator[bytes], max_bytes: int) -> None:
        self._chunks = chunks
        self._max_bytes = max_bytes
        self._seen = 0
        self._held: list[bytes] = []
        self._hash = hashlib.sha256()
        self.crc32 = 0

    @property
    def sha256(self) -> str:
        """Of all bytes that have passed."""
        return self._hash.hexdigest()

    async def head(self, wanted: int) -> bytes:
        """The first ``wanted`` bytes, or all if there are fewer; :meth:`all` still yields them."""
        while self._seen < wanted and (chunk := await self._next()):
            self._held.append(chunk)
        return b"".join(self._held)[:wanted]

    async def all(self) -> AsyncIterator[bytes]:
        """Every byte, those of the head included."""
        while self._held:
            yield self._held.pop(0)
        while chunk := await self._next():
            yield chunk

    async def aclose(self) -> None:
        """Ends the stream below."""
        if (close := getattr(self._chunks, "aclose", None)) is not None:
            await close()

    async def _next(self) -> bytes:
        """The next chunk; empty at the end."""
        async for chunk in self._chunks:
            if not chunk:
                continue
            self._seen += len(chunk)
            if self._seen > self._max_bytes:
                raise PayloadTooLargeError("The file", self._max_bytes)
            self._hash.update(chunk)
            self.crc32 = zlib.crc32(chunk, self.crc32)
            return chunk
        return b""
