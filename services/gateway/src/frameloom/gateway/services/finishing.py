"""From an upload whose bytes are all there to a job, whatever breaks off on the way; and the end of the rest.

The id of the job is written down before the job is made. Who comes to finish an upload after another died
over it finds by that id whether the job is there already.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from frameloom.common import layout
from frameloom.common.background import in_background, repeatedly
from frameloom.common.clock import Clock, new_id
from frameloom.common.documents import JobDocument, Refusal, Upload, UploadState
from frameloom.common.errors import ConflictError, FrameloomError, ObjectNotFoundError, TransientError
from frameloom.common.machines.transition import Refused
from frameloom.common.machines.upload import complete, examine, refuse
from frameloom.common.ports.parts import PartedStore
from frameloom.common.ports.stores import JobStore, UploadStore
from frameloom.gateway.errors import (
    InvalidRequestError,
    TooManyRequestsError,
    UploadIncompleteError,
    UploadLockedError,
    UploadNotFoundError,
)
from frameloom.gateway.services.caller import Caller, Scope
from frameloom.gateway.services.gate import MediaGate, Quarantined
from frameloom.gateway.services.holding import Hold, Holder
from frameloom.gateway.services.quotas import Quotas
from frameloom.gateway.services.receiving import discard, join, lost
from frameloom.gateway.services.strays import StraySweeper
from frameloom.gateway.services.submission import SubmissionService

_AT_ONCE = 100
log = structlog.get_logger(__name__)


class Finisher:
    """Makes jobs of uploads. What is refused for good is removed; what failed for now is tried again."""

    def __init__(
        self,
        uploads: UploadStore,
        jobs: JobStore,
        objects: PartedStore,
        gate: MediaGate,
        submissions: SubmissionService,
        quotas: Quotas,
    ) -> None:
        self._uploads = uploads
        self._jobs = jobs
        self._objects = objects
        self._gate = gate
        self._submissions = submissions
        self._quotas = quotas

    async def finish(self, hold: Hold) -> JobDocument:
        """Examines an upload that is received, and makes its job.

        Raises:
            FrameloomError: It is refused; or not now, and then it stays as it is.
        """
        try:
            async with hold.kept():
                job = await self._known(hold.current) or await self._made(hold)
        except FrameloomError as error:
            if is_final(error):
                await self.refuse(hold, error)
            raise
        await hold.change(lambda upload, holder, _: complete(upload, holder, job.id))
        await discard(self._objects, [layout.uploaded(hold.current.id)])
        log.info("upload became a job", upload=hold.current.id, job=job.id)
        return job

    async def refuse(self, hold: Hold, error: FrameloomError) -> None:
        """Writes down why an upload becomes no job, and removes its bytes."""
        upload = hold.current
        refusal = Refusal(
            code=error.code,
            status=error.status,
            message=error.message,
            hint=error.hint,
            detail=error.detail,
        )
        await hold.change(lambda current, holder, _: refuse(current, holder, refusal))
        log.info("upload refused", upload=upload.id, code=error.code)
        try:
            await self.clear(upload)
        except TransientError as failure:
            log.warning("left behind", upload=upload.id, reason=str(failure))

    async def clear(self, upload: Upload) -> None:
        """Removes all that lies in the bucket for an upload.

        Raises:
            TransientError: The store does not answer.
        """
        if upload.store_id is not None:
            await self._objects.drop_parts(layout.uploaded(upload.id), upload.store_id)
        await self._objects.delete(await self._objects.keys(layout.upload_of(upload.id)))

    async def _known(self, upload: Upload) -> JobDocument | None:
        """The job that an earlier try has made."""
        return None if upload.job_id is None else await self._jobs.get(upload.job_id)

    async def _made(self, hold: Hold) -> JobDocument:
        await join(hold, self._objects)
        upload, job_id = hold.current, new_id()
        caller = Caller(
            tenant=upload.tenant,
            key_id=upload.key_id,
            line=upload.line,
            scopes=frozenset({Scope.JOBS_WRITE}),
        )
        async with self._quotas.admitted(caller) as allowance:
            allowance.check(upload.length_bytes)
            await hold.change(
                lambda current, holder, lease_seconds: examine(current, holder, job_id, lease_seconds)
            )
            lies = layout.uploaded(upload.id)
            try:
                admitted = await self._gate.admit(
                    Quarantined(job_id, upload.filename, upload.length_bytes, source=lies)
                )
            except ObjectNotFoundError as error:
                raise lost() from error
            if admitted.media.size_bytes != upload.length_bytes:
                await self._gate.discard(job_id)
                raise UploadIncompleteError.size(admitted.media.size_bytes, upload.length_bytes)
            if upload.sha256 is not None and admitted.media.sha256 != upload.sha256:
                await self._gate.discard(job_id)
                raise InvalidRequestError(
                    "The file is not the one whose sha256 was told",
                    hint="Was it changed, or damaged on its way? Begin a new upload.",
                    detail={"sha256": admitted.media.sha256, "expected": upload.sha256},
                )
            return await self._submissions.accept(caller, admitted, upload.fields)


def is_final(error: FrameloomError) -> bool:
    """Whether trying again would bring the same."""
    for_now = (TransientError, TooManyRequestsError, ConflictError, UploadLockedError, UploadNotFoundError)
    return not isinstance(error, for_now) and 400 <= error.status < 500


class UploadKeeper:
    """Finishes what a gateway that died has left received, and removes what has expired."""

    def __init__(
        self,
        uploads: UploadStore,
        holder: Holder,
        finisher: Finisher,
        strays: StraySweeper,
        clock: Clock,
        every_seconds: float,
    ) -> None:
        self._uploads = uploads
        self._holder = holder
        self._finisher = finisher
        self.strays = strays
        self._clock = clock
        self._every_seconds = every_seconds

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Looks in the background."""
        work = repeatedly(self.look, self._every_seconds, "upload keeper waits")
        async with in_background(work, "upload-keeper"), self.strays.running():
            yield

    async def look(self) -> None:
        """Looks once."""
        for upload in await self._uploads.expired(self._clock.now(), _AT_ONCE):
            await self._expire(upload)
        for upload in await self._uploads.left_unexamined(_AT_ONCE):
            await self._finish(upload)

    async def _finish(self, upload: Upload) -> None:
        try:
            async with self._holder.taken(upload) as hold:
                if hold.current.state is UploadState.RECEIVED:
                    await self._finisher.finish(hold)
        except (FrameloomError, Refused) as error:
            log.info("upload not finished", upload=upload.id, reason=str(error))

    async def _expire(self, upload: Upload) -> None:
        if upload.state.over:
            await self.forget(upload)
            return
        try:
            async with self._holder.taken(upload) as hold:
                await self.forget(hold.current)
            log.info("upload expired", upload=upload.id, offset_bytes=upload.offset_bytes)
        except (UploadLockedError, UploadNotFoundError, Refused):
            return  # somebody is at it: next time

    async def forget(self, upload: Upload) -> None:
        """Removes an upload and its bytes."""
        await self._finisher.clear(upload)
        await self._uploads.delete(upload.id)
