"""Uploads that come over several requests: beginning, going on, asking, ending.

The pieces of this: :mod:`holding` lets one request write at a time, :mod:`receiving` appends its bytes,
:mod:`finishing` makes the job.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

import structlog

from frameloom.common import layout
from frameloom.common.clock import Clock, new_id
from frameloom.common.documents import JobDocument, Upload, UploadState, UploadWay
from frameloom.common.errors import FrameloomError, JobNotFoundError
from frameloom.common.machines.transition import Refused
from frameloom.common.ports.parts import MOST_PARTS, PartedStore
from frameloom.common.ports.stores import JobStore, UploadStore
from frameloom.gateway.errors import (
    ChecksumMismatchError,
    InvalidRequestError,
    OffsetMismatchError,
    PayloadTooLargeError,
    RefusedUploadError,
    TooManyUploadsError,
    UploadAbortedError,
    UploadCompletedError,
    UploadGoneError,
    UploadLockedError,
    UploadNotFoundError,
    UploadOverflowError,
    UploadTimeoutError,
    WrongWayError,
)
from frameloom.gateway.services.caller import Caller
from frameloom.gateway.services.finishing import Finisher, UploadKeeper, is_final
from frameloom.gateway.services.gate import MediaGate
from frameloom.gateway.services.giving_way import until
from frameloom.gateway.services.holding import Hold, Holder
from frameloom.gateway.services.quotas import Quotas
from frameloom.gateway.services.receiving import Appending
from frameloom.gateway.services.strays import StraySweeper
from frameloom.gateway.services.submission import SubmissionService
from frameloom.gateway.settings import ResumableSettings

_SPARE_PARTS = 1000
"""Part numbers that are left out when a request takes over from one that died."""
_SPARE = timedelta(hours=1)
_MEDIA = "application/octet-stream"
_LAST_WORDS_SECONDS = 5.0
_BROKEN_OFF = (UploadAbortedError, UploadTimeoutError, UploadOverflowError)
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Announced:
    """An upload that is to come.

    Attributes:
        length_bytes: Of the whole.
        filename: As the client gives it.
        fields: ``selected_pipelines`` and ``config``, as in the form.
        metadata: As a tus client sent it.
        sha256: Of the whole, if the client knows it.
    """

    length_bytes: int
    filename: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    metadata: str | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an upload is, and its job, if it has become one."""

    upload: Upload
    job: JobDocument | None = None


class Checksum(Protocol):
    """Says whether bytes are those that were sent."""

    def update(self, chunk: bytes, /) -> None:
        """Takes some."""
        ...

    def verify(self) -> None:
        """Refuses them, if they are not."""
        ...


class UploadService:
    """The unfinished uploads of callers."""

    def __init__(
        self,
        uploads: UploadStore,
        jobs: JobStore,
        objects: PartedStore,
        gate: MediaGate,
        submissions: SubmissionService,
        quotas: Quotas,
        clock: Clock,
        settings: ResumableSettings,
        max_bytes: int,
    ) -> None:
        self._uploads = uploads
        self._jobs = jobs
        self._objects = objects
        self._gate = gate
        self._submissions = submissions
        self._quotas = quotas
        self._clock = clock
        self._settings = settings
        self.max_bytes = max_bytes
        self.holder = Holder(uploads, settings.lease_seconds)
        self.finisher = Finisher(uploads, jobs, objects, gate, submissions, quotas)
        self.keeper = UploadKeeper(
            uploads,
            self.holder,
            self.finisher,
            StraySweeper(uploads, objects, timedelta(seconds=settings.expire_seconds) + _SPARE, clock),
            clock,
            settings.sweep_every_seconds,
        )

    async def begin(self, caller: Caller, announced: Announced, way: UploadWay = UploadWay.TUS) -> Upload:
        """Makes room for an upload, before any byte of it is sent.

        Raises:
            FrameloomError: It would not be taken: for its length, its fields, or the key's quota.
        """
        await self._require_room(caller, announced)
        await self._submissions.check(announced.fields)
        now, upload_id = self._clock.now(), new_id()
        upload = Upload(
            id=upload_id,
            tenant=caller.tenant,
            key_id=caller.key_id,
            line=caller.line,
            account=caller.account,
            way=way,
            filename=announced.filename,
            length_bytes=announced.length_bytes,
            fields=dict(announced.fields),
            metadata=announced.metadata,
            sha256=announced.sha256,
            part_bytes=self._part_bytes(announced.length_bytes, way),
            created_at=now,
            expires_at=now + timedelta(seconds=self._settings.expire_seconds),
        )
        if way is not UploadWay.PUT:
            store_id = await self._objects.begin_parts(layout.uploaded(upload_id), _MEDIA)
            upload = upload.model_copy(update={"store_id": store_id})
        try:
            await self._uploads.insert(upload)
        except FrameloomError:
            await self.finisher.clear(upload)
            raise
        log.info("upload begun", upload=upload.id, way=way.value, length_bytes=upload.length_bytes)
        return upload

    async def get(self, caller: Caller, upload_id: str) -> Upload:
        """An upload of the caller's tenant.

        Raises:
            UploadNotFoundError: There is none.
        """
        upload = await self._uploads.get(upload_id)
        if upload is None or upload.tenant != caller.tenant:
            raise UploadNotFoundError(upload_id)
        return upload

    async def living(self, caller: Caller, upload_id: str) -> Upload:
        """The same, as long as something can become of it.

        Raises:
            UploadNotFoundError: There is none.
            UploadGoneError: It has expired.
            RefusedUploadError: It was refused.
        """
        upload = await self.get(caller, upload_id)
        if upload.refusal is not None:
            raise RefusedUploadError(upload.refusal)
        if not upload.state.over and upload.expires_at < self._clock.now():
            raise UploadGoneError("The upload has expired", hint="Begin a new one.")
        return upload

    async def append(
        self,
        caller: Caller,
        upload_id: str,
        offset_bytes: int,
        chunks: AsyncIterator[bytes],
        *,
        declared_bytes: int | None = None,
        checksum: Checksum | None = None,
    ) -> Progress:
        """Goes on with an upload. With its last byte it is examined and becomes a job.

        Args:
            caller: Whose it is.
            upload_id: Which.
            offset_bytes: Where the bytes belong.
            chunks: The bytes. However they end, what came of them is kept, but not without its checksum.
            declared_bytes: How many there will be, if that is known.
            checksum: Of these bytes.

        Raises:
            FrameloomError: They do not belong there, or can not be taken, or the file is refused.
        """
        upload = await self.living(caller, upload_id)
        if upload.way is not UploadWay.TUS:
            UploadCompletedError.unless_open(upload)
            raise WrongWayError(upload_id, "Send its bytes to the addresses that were given for it.")
        if upload.state is UploadState.COMPLETED:
            _require_offset(upload, offset_bytes, declared_bytes)
            return Progress(upload, await self.job_of(upload))
        await self.holder.make_way(upload_id)  # before a place is asked for, which the other request may have
        try:
            async with self._gate.place(caller), self.holder.taken(upload) as hold:
                _require_offset(hold.current, offset_bytes, declared_bytes)
                if hold.current.state is UploadState.OPEN:
                    await self._received(hold, chunks, checksum)
                if hold.current.state is UploadState.OPEN:
                    return Progress(hold.current)
                job = await self.finisher.finish(hold)
                return Progress(hold.current, job)
        except Refused:  # it was finished or refused while we asked for it
            return await self._as_it_is(caller, upload_id)

    async def end(self, caller: Caller, upload_id: str) -> None:
        """Gives an upload up. One that has become a job is only forgotten: the job stays.

        Raises:
            UploadNotFoundError: There is none.
            UploadLockedError: Another request writes to it.
        """
        upload = await self.get(caller, upload_id)
        try:
            async with self.holder.taken(upload) as hold:
                await self.keeper.forget(hold.current)
        except Refused:  # it is over: nobody writes to it any more
            await self.keeper.forget(upload)

    async def job_of(self, upload: Upload) -> JobDocument:
        """The job that an upload has become.

        Raises:
            JobNotFoundError: It was deleted.
        """
        assert upload.job_id is not None
        job = await self._jobs.get(upload.job_id)
        if job is None or job.tenant != upload.tenant:
            raise JobNotFoundError(upload.job_id)
        return job

    async def _received(self, hold: Hold, chunks: AsyncIterator[bytes], checksum: Checksum | None) -> None:
        appending = Appending(hold, self._objects, self._gate, trusted=checksum is None)
        try:
            try:
                async for chunk in until(hold.asked_away, chunks, UploadLockedError(hold.current.id)):
                    await appending.add(chunk)
                    if checksum is not None:
                        checksum.update(chunk)
            except (*_BROKEN_OFF, asyncio.CancelledError):
                if checksum is None:
                    async with asyncio.timeout(_LAST_WORDS_SECONDS):
                        await appending.finish()
                raise
            if checksum is not None:
                checksum.verify()
            await appending.finish()
        except (*_BROKEN_OFF, ChecksumMismatchError):
            raise
        except FrameloomError as error:
            if is_final(error):
                await self.finisher.refuse(hold, error)
            raise

    async def _as_it_is(self, caller: Caller, upload_id: str) -> Progress:
        upload = await self.living(caller, upload_id)
        if upload.state is not UploadState.COMPLETED:
            raise UploadLockedError(upload_id)
        return Progress(upload, await self.job_of(upload))

    async def _require_room(self, caller: Caller, announced: Announced) -> None:
        if announced.length_bytes == 0:
            raise InvalidRequestError("The file is empty", hint="Was the path wrong?")
        if announced.length_bytes > self.max_bytes:
            raise PayloadTooLargeError("The file", self.max_bytes)
        allowance = await self._quotas.admit(caller)
        waiting = await self._uploads.open_of(caller.account, caller.tenant)
        if waiting.number >= self._settings.max_open:
            raise TooManyUploadsError.more_than(self._settings.max_open)
        allowance.check(announced.length_bytes + waiting.length_bytes)

    def _part_bytes(self, length_bytes: int, way: UploadWay) -> int:
        """As set, or larger, where the store would not take so many parts."""
        usual = self._settings.part_bytes if way is UploadWay.TUS else self._settings.direct_part_bytes
        return max(usual, math.ceil(length_bytes / (MOST_PARTS - _SPARE_PARTS)))


def _require_offset(upload: Upload, offset_bytes: int, declared_bytes: int | None) -> None:
    if offset_bytes != upload.offset_bytes:
        raise OffsetMismatchError(upload.offset_bytes)
    if declared_bytes is not None and offset_bytes + declared_bytes > upload.length_bytes:
        raise UploadOverflowError(upload.length_bytes)
