"""Taking in a job: its upload, its checks, its document. What is refused leaves nothing in the bucket."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

import structlog

from frameloom.common.clock import Clock, new_id
from frameloom.common.documents import JobDocument, MediaRef
from frameloom.common.errors import TransientError
from frameloom.common.machines.job import Submission, submit
from frameloom.common.ports.objects import ObjectStore
from frameloom.common.ports.stores import JobStore
from frameloom.common.relay import JobRelay
from frameloom.gateway.errors import (
    BusyError,
    InvalidRequestError,
    PayloadTooLargeError,
    RequestInvalidError,
    UnsupportedMediaError,
)
from frameloom.gateway.services.caller import Caller
from frameloom.gateway.services.media import HEAD_BYTES, clean_filename, sniff
from frameloom.gateway.services.tally import Tally
from frameloom.gateway.services.validation import Order, ValidationService

log = structlog.get_logger(__name__)
_VIDEO = "video"


@dataclass(frozen=True, slots=True)
class TextPart:
    """A form field."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class FilePart:
    """A file of the form; its bytes must be read before the next part is asked for."""

    name: str
    filename: str | None
    chunks: AsyncIterator[bytes]


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


class SubmissionService:
    """Turns a form into a job."""

    def __init__(
        self,
        jobs: JobStore,
        tally: Tally,
        objects: ObjectStore,
        validation: ValidationService,
        relay: JobRelay,
        clock: Clock,
        limits: UploadLimits,
    ) -> None:
        self._jobs = jobs
        self._tally = tally
        self._objects = objects
        self._validation = validation
        self._relay = relay
        self._clock = clock
        self._limits = limits
        self._slots = asyncio.Semaphore(limits.concurrent)

    async def submit(self, caller: Caller, parts: AsyncIterator[TextPart | FilePart]) -> JobDocument:
        """Stores the media and the job, in whatever order the parts come.

        Raises:
            FrameloomError: The job is refused, or a dependency is away. Nothing of it is left in the bucket.
        """
        job_id = new_id()
        key = f"media/{job_id}/source"
        try:
            media, fields = await self._taken(key, parts)
            order = await self._checked(fields)
            submission = Submission(
                job_id=job_id,
                tenant=caller.tenant,
                media=media,
                pipelines=order.pipelines,
                config=order.config,
                requested=order.requested,
                warnings=order.warnings,
            )
            job = submit(submission, self._clock.now())
            await self._insert(job)
        except BaseException:
            await asyncio.shield(self._discard(key))
            raise
        self._tally.wrote(job)
        self._relay.offer(job)
        noticed = [warning["message"] for warning in order.warnings]
        log.info(
            "job accepted",
            job=job.id,
            pipelines=list(order.pipelines),
            size_bytes=media.size_bytes,
            **({"warnings": noticed} if noticed else {}),
        )
        return job

    async def _taken(
        self, key: str, parts: AsyncIterator[TextPart | FilePart]
    ) -> tuple[MediaRef, dict[str, str]]:
        """The form, its file stored."""
        media: MediaRef | None = None
        fields: dict[str, str] = {}
        async for part in parts:
            if isinstance(part, TextPart):
                fields[part.name] = part.text
                continue
            if media is not None:
                raise InvalidRequestError(f"The form has more than one {part.name} part")
            if "selected_pipelines" in fields:
                await self._checked(fields)  # before gigabytes are sent in vain
            media = await self._store(key, part)
        if media is None:
            raise RequestInvalidError.missing("body", _VIDEO)
        return media, fields

    async def _checked(self, fields: dict[str, str]) -> Order:
        return await self._validation.order(fields.get("selected_pipelines"), fields.get("config"))

    async def _store(self, key: str, part: FilePart) -> MediaRef:
        filename = clean_filename(part.filename)
        async with self._slot(), aclosing(_Measured(part.chunks, self._limits.max_bytes)) as measured:
            head = await measured.head(HEAD_BYTES)
            if not head:
                raise InvalidRequestError(
                    f"The file {filename} is empty", hint="Was the upload cut off, or the path wrong?"
                )
            content_type = sniff(head)
            if content_type is None:
                raise UnsupportedMediaError(
                    f"The file {filename} is no video or audio file that can be read here",
                    hint="Send MP4, MOV, MKV, WebM, AVI, MPEG, FLV, WAV, MP3, FLAC or Ogg.",
                    detail={"filename": filename},
                )
            size_bytes = await self._objects.put_stream(key, measured.all(), content_type)
            return MediaRef(
                key=key,
                filename=filename,
                size_bytes=size_bytes,
                sha256=measured.sha256,
                content_type=content_type,
            )

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        """Meanwhile the body waits unread in the client: back-pressure, not memory."""
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

    async def _insert(self, job: JobDocument) -> None:
        try:
            await self._jobs.insert(job)
        except TransientError:
            # The answer may be lost and the job stored: then it is accepted, whatever we heard.
            if await self._jobs.get(job.id) is None:
                raise

    async def _discard(self, key: str) -> None:
        try:
            await self._objects.delete([key])
        except TransientError as error:
            log.warning("left behind", key=key, reason=str(error))


class _Measured:
    """Counts and hashes a stream on its way, and lets its first bytes be seen beforehand."""

    def __init__(self, chunks: AsyncIterator[bytes], max_bytes: int) -> None:
        self._chunks = chunks
        self._max_bytes = max_bytes
        self._seen = 0
        self._held: list[bytes] = []
        self._hash = hashlib.sha256()

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
            return chunk
        return b""
