"""Uploads that go straight into the object store: addresses to write to, and a call at the end.

The gateway sees no byte of it before the end. What the client has written then is read under its ETag: if it
changes meanwhile, the upload is not taken; what comes later is never looked at, for the job has a copy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from frameloom.common import layout
from frameloom.common.clock import Clock
from frameloom.common.documents import JobDocument, StoredPart, Upload, UploadState, UploadWay
from frameloom.common.errors import ObjectNotFoundError, PartsMismatchError
from frameloom.common.machines.transition import Refused
from frameloom.common.machines.upload import receive
from frameloom.common.ports.parts import PartedStore
from frameloom.gateway.errors import (
    DirectUnavailableError,
    InvalidRequestError,
    UploadCompletedError,
    UploadIncompleteError,
    UploadLockedError,
    WrongWayError,
)
from frameloom.gateway.services.caller import Caller
from frameloom.gateway.services.gate import MediaGate
from frameloom.gateway.services.holding import Hold
from frameloom.gateway.services.receiving import join
from frameloom.gateway.services.uploads import Announced, UploadService
from frameloom.gateway.settings import ResumableSettings

_ADDRESSES_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Address:
    """Where a part is to be written."""

    number: int
    url: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Addressed:
    """An upload, and where its bytes are to be written.

    Attributes:
        upload: Which.
        url: For the whole; None: it comes in parts.
        parts: The first of them.
        until: How long these addresses work.
    """

    upload: Upload
    url: str | None
    parts: tuple[Address, ...]
    until: datetime


class DirectService:
    """Uploads past the gateway."""

    def __init__(
        self,
        uploads: UploadService,
        objects: PartedStore,
        gate: MediaGate,
        clock: Clock,
        settings: ResumableSettings,
    ) -> None:
        self._uploads = uploads
        self._objects = objects
        self._gate = gate
        self._clock = clock
        self._settings = settings

    async def begin(self, caller: Caller, announced: Announced) -> Addressed:
        """Makes room for an upload, and tells where its bytes are to be written.

        Raises:
            DirectUnavailableError: The object store takes nothing from clients.
            FrameloomError: The upload would not be taken.
        """
        if await self._objects.presigned_put(layout.UPLOADS, seconds=1) is None:
            raise DirectUnavailableError
        small = announced.length_bytes <= self._settings.direct_part_bytes
        way = UploadWay.PUT if small else UploadWay.MULTIPART
        upload = await self._uploads.begin(caller, announced, way)
        until = self._until(upload)
        if way is UploadWay.PUT:
            seconds = self._seconds(until)
            url = await self._objects.presigned_put(layout.uploaded(upload.id), seconds=seconds)
            return Addressed(upload, url, (), until)
        numbers = range(1, min(_count(upload), _ADDRESSES_AT_ONCE) + 1)
        return Addressed(upload, None, await self._addresses(upload, numbers, until), until)

    async def parts(self, caller: Caller, upload_id: str, numbers: Sequence[int]) -> Addressed:
        """Further addresses, or fresh ones; without numbers, of an upload that is written as a whole.

        Raises:
            UploadNotFoundError: There is no such upload.
            WrongWayError: It is no direct one.
            UploadCompletedError: All of it is there already.
            InvalidRequestError: There are no such parts.
        """
        upload = await self._direct(caller, upload_id)
        UploadCompletedError.unless_open(upload)
        until = self._until(upload)
        if upload.way is UploadWay.PUT:
            url = await self._objects.presigned_put(layout.uploaded(upload.id), seconds=self._seconds(until))
            return Addressed(upload, url, (), until)
        wanted = numbers or range(1, min(_count(upload), _ADDRESSES_AT_ONCE) + 1)
        if any(not 1 <= number <= _count(upload) for number in wanted):
            raise InvalidRequestError(
                f"The parts of this upload are numbered from 1 to {_count(upload)}",
                hint="Ask for numbers among these, or send no numbers: then the first thousand are meant.",
            )
        return Addressed(upload, None, await self._addresses(upload, wanted, until), until)

    async def complete(self, caller: Caller, upload_id: str, parts: Sequence[StoredPart]) -> JobDocument:
        """All is written: examines it and makes the job. Again it answers the same job.

        Raises:
            UploadNotFoundError: There is no such upload.
            UploadIncompleteError: Not all is there.
            FrameloomError: The file is refused, or not taken now.
        """
        upload = await self._direct(caller, upload_id)
        if upload.state is UploadState.COMPLETED:
            return await self._uploads.job_of(upload)
        await self._uploads.holder.make_way(upload_id)
        try:
            async with self._gate.place(caller), self._uploads.holder.taken(upload) as hold:
                if hold.current.state is UploadState.OPEN:
                    await self._received(hold, parts)
                return await self._uploads.finisher.finish(hold)
        except Refused as refused:  # it was finished or refused while we asked for it
            upload = await self._direct(caller, upload_id)
            if upload.state is not UploadState.COMPLETED:
                raise UploadLockedError(upload_id) from refused
            return await self._uploads.job_of(upload)

    async def _received(self, hold: Hold, parts: Sequence[StoredPart]) -> None:
        upload = hold.current
        if upload.way is UploadWay.MULTIPART:
            if not parts:
                raise UploadIncompleteError.parts("No parts are named")
            try:
                await join(hold, self._objects, sorted(parts, key=lambda part: part.number))
            except PartsMismatchError as error:
                raise UploadIncompleteError.parts(
                    error.message.replace(layout.uploaded(upload.id), "the upload")
                ) from error
            return
        try:
            info = await self._objects.info(layout.uploaded(upload.id))
        except ObjectNotFoundError as error:
            raise UploadIncompleteError.nothing() from error
        if info.size_bytes != upload.length_bytes:
            raise UploadIncompleteError.size(info.size_bytes, upload.length_bytes)
        await hold.change(partial(receive))

    async def _direct(self, caller: Caller, upload_id: str) -> Upload:
        upload = await self._uploads.living(caller, upload_id)
        if upload.way is UploadWay.TUS:
            UploadCompletedError.unless_open(upload)
            raise WrongWayError(upload_id, "Go on with it by the tus protocol.")
        return upload

    async def _addresses(
        self, upload: Upload, numbers: Sequence[int], until: datetime
    ) -> tuple[Address, ...]:
        assert upload.store_id is not None, "it is open, and comes in parts"
        key, seconds = layout.uploaded(upload.id), self._seconds(until)
        made = []
        for number in numbers:
            url = await self._objects.presigned_part(key, upload.store_id, number, seconds=seconds)
            if url is None:
                raise DirectUnavailableError
            left = upload.length_bytes - (number - 1) * upload.part_bytes
            made.append(Address(number, url, min(upload.part_bytes, left)))
        return tuple(made)

    def _until(self, upload: Upload) -> datetime:
        return min(upload.expires_at, self._clock.now() + timedelta(seconds=self._settings.direct_seconds))

    def _seconds(self, until: datetime) -> int:
        return max(1, int((until - self._clock.now()).total_seconds()))


def _count(upload: Upload) -> int:
    return math.ceil(upload.length_bytes / upload.part_bytes)
