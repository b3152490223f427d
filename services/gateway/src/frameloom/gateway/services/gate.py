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
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass, replace

import structlog

from frameloom.common import layout
from frameloom.common.documents import MediaFacts, MediaRef
from frameloom.common.errors import TransientError
from frameloom.common.media.formats import DEMUXERS
from frameloom.common.media.sniffing import HEAD_BYTES, sniff
from frameloom.common.ports.objects import ObjectStore
from frameloom.common.text import cut
from frameloom.gateway.errors import InvalidRequestError
from frameloom.gateway.probe.prober import Examined, Prober
from frameloom.gateway.probe.reasons import Refused
from frameloom.gateway.services.caller import Caller
from frameloom.gateway.services.incoming import Incoming
from frameloom.gateway.services.media import clean_filename
from frameloom.gateway.services.places import UploadPlaces
from frameloom.gateway.services.refusals import refusal
from frameloom.gateway.services.strangers import stranger

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """What is taken in.

    Attributes:
        max_bytes: Largest media file.
        concurrent: How many uploads are stored at once; further ones wait.
        concurrent_per_key: How many of them may be one key's.
        wait_seconds: How long an upload waits for its turn.
        held_bytes: A file that is no larger is held in memory until it has been examined, and stored then:
            that spares the bucket a copy and a removal.
    """

    max_bytes: int
    concurrent: int
    concurrent_per_key: int
    wait_seconds: float
    held_bytes: int


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
        stored: Whether it lies in the bucket. A small one waits in memory instead, whole in ``head``.
        source: Where it lies, if not under its quarantine key: then it stays there, whatever becomes of it.
    """

    job_id: str
    filename: str | None
    size_bytes: int
    sha256: str | None = None
    head: bytes = b""
    crc32: int | None = None
    stored: bool = True
    source: str | None = None

    @property
    def key(self) -> str:
        """Where it lies."""
        return self.source or layout.quarantined(self.job_id)


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

    def __init__(self, objects: ObjectStore, prober: Prober, limits: UploadLimits) -> None:
        self._objects = objects
        self._prober = prober
        self._limits = limits
        self._places = UploadPlaces(
            total=limits.concurrent, per_key=limits.concurrent_per_key, wait_seconds=limits.wait_seconds
        )

    def place(self, caller: Caller) -> AbstractAsyncContextManager[None]:
        """A place for one upload of this caller: hold it while bytes are received and examined.

        Raises:
            BusyError: None became free in time.
        """
        return self._places.taken(caller.account)

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
        async with aclosing(Incoming(chunks, limit)) as incoming:
            content_type = _known(await incoming.head(HEAD_BYTES), filename)
            head = await incoming.head(max(HEAD_BYTES, self._limits.held_bytes + 1))
            stored = len(head) > self._limits.held_bytes
            size = len(head)
            if stored:
                async with self._or_nothing(job_id):
                    key = layout.quarantined(job_id)
                    size = await self._objects.put_stream(key, incoming.all(), content_type)
            return Quarantined(
                job_id=job_id,
                filename=filename,
                size_bytes=size,
                sha256=incoming.sha256,
                head=head,
                crc32=incoming.crc32,
                stored=stored,
            )

    def recognise(self, head: bytes, filename: str | None) -> None:
        """Refuses an upload by its first bytes, before the rest of it is sent.

        Raises:
            FrameloomError: There are none, or they are of no media file.
        """
        _known(head[:HEAD_BYTES], filename)

    async def admit(self, upload: Quarantined) -> Admitted:
        """Examines an upload and lets it out of quarantine.

        Raises:
            FrameloomError: It is refused, or a dependency is away. Nothing is left of it.
        """
        if not upload.stored:
            return await self._admitted(upload, None)
        async with self._or_nothing(upload.job_id):
            etag = None
            if upload.sha256 is None:
                info = await self._objects.info(upload.key)
                etag = info.etag
                sha256, crc32 = await self._digest(upload, etag)
                upload = replace(upload, size_bytes=info.size_bytes, sha256=sha256, crc32=crc32)
            if not upload.head:
                upload = replace(upload, head=await self._range(upload, etag, 0, HEAD_BYTES))
            return await self._admitted(upload, etag)

    async def _admitted(self, upload: Quarantined, etag: str | None) -> Admitted:
        content_type = _known(upload.head, upload.filename)
        facts = await self._examined(upload, content_type, etag)
        media = MediaRef(
            key=layout.media(upload.job_id),
            filename=clean_filename(upload.filename),
            size_bytes=upload.size_bytes,
            sha256=upload.sha256 or "",
            content_type=content_type,
            crc32=upload.crc32,
        )
        if upload.stored:
            await self._objects.copy(upload.key, media.key, content_type, etag=etag)
            if upload.source is None:
                await self._remove(upload.key)
        else:
            async with self._or_nothing(upload.job_id):
                await self._objects.put(media.key, upload.head, content_type)
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

    async def _examined(self, upload: Quarantined, content_type: str, etag: str | None) -> MediaFacts:
        """What is in it, as a process that can do nothing else has seen."""

        async def read(offset: int, length: int) -> bytes:
            if offset + length <= len(upload.head):
                return upload.head[offset : offset + length]
            return await self._range(upload, etag, offset, length)

        try:
            return await self._prober.probe(Examined(DEMUXERS[content_type], upload.size_bytes, read))
        except Refused as refused:
            name = clean_filename(upload.filename)
            log.info("upload refused", job=upload.job_id, reason=refused.reason.value, **refused.facts)
            raise refusal(refused, name) from refused

    async def _range(self, upload: Quarantined, etag: str | None, offset: int, length: int) -> bytes:
        if not upload.size_bytes:
            return b""  # no range of nothing can be asked for
        blocks = self._objects.read(upload.key, offset=offset, length=length, etag=etag)
        return b"".join([block async for block in blocks])


def _known(head: bytes, filename: str | None) -> str:
    """The media type by the first bytes.

    Raises:
        FrameloomError: There are none, or they are of no media file.
    """
    name = clean_filename(filename)
    if not head:
        raise InvalidRequestError(
            f"The file {cut(name)} is empty", hint="Was the upload cut off, or the path wrong?"
        )
    content_type = sniff(head)
    if content_type is None:
        raise stranger(head, name)
    return content_type
