"""Writing to an upload: by one request at a time, wherever it runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import structlog

from frameloom.common.background import in_background, set_within
from frameloom.common.cas import ContendedError, transact
from frameloom.common.clock import new_id
from frameloom.common.documents import Upload
from frameloom.common.errors import NotFoundError, TransientError
from frameloom.common.machines.transition import Change, Refused
from frameloom.common.machines.upload import release, renew, take
from frameloom.common.ports.stores import UploadStore
from frameloom.gateway.errors import UploadLockedError, UploadNotFoundError

_GIVES_WAY_SECONDS = 5.0
log = structlog.get_logger(__name__)


class Hold:
    """An upload that is ours to write to, while its lease lasts.

    Attributes:
        current: As it was written last.
        asked_away: Set when another request wants to go on with it here.
    """

    def __init__(self, store: UploadStore, taken: Upload, holder: str, lease_seconds: float) -> None:
        self._store = store
        self._holder = holder
        self._lease_seconds = lease_seconds
        self._changing = asyncio.Lock()
        self._renewed = asyncio.get_running_loop().time()
        self.current = taken
        self.asked_away = asyncio.Event()
        self.left = asyncio.Event()

    async def change(self, decide: Callable[[Upload, str, float], Change[Upload]]) -> Upload:
        """Writes a change: ``decide`` gets the upload, our name as the holder, and the length of the lease.

        Raises:
            UploadLockedError: The upload is no longer ours, or not as it was thought to be.
        """
        async with self._changing:
            try:
                change = decide(self.current, self._holder, self._lease_seconds)
                written = await self._store.apply(change)
            except Refused as refused:
                raise UploadLockedError(self.current.id) from refused
            if written is None:
                raise UploadLockedError(self.current.id)
            self._renewed = asyncio.get_running_loop().time()
            self.current = written
            return written

    async def alive(self) -> None:
        """Bytes have come: renews the lease, if it is time."""
        if asyncio.get_running_loop().time() - self._renewed > self._lease_seconds / 3:
            await self.change(renew)

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Renews the lease during the block, which is broken off when that fails."""
        async with in_background(self._renewing(), "upload-lease"):
            yield

    async def give_back(self) -> None:
        """Writes no more."""
        if not self.current.state.over:
            try:
                await self.change(lambda upload, holder, _: release(upload, holder))
            except (TransientError, UploadLockedError) as error:
                log.info("upload not released", upload=self.current.id, reason=str(error))

    async def _renewing(self) -> None:
        while True:
            await asyncio.sleep(self._lease_seconds / 3)
            await self.change(renew)


class Holder:
    """Takes uploads for writing."""

    def __init__(self, store: UploadStore, lease_seconds: float) -> None:
        self._store = store
        self._lease_seconds = lease_seconds
        self._here: dict[str, Hold] = {}

    @asynccontextmanager
    async def taken(self, upload: Upload) -> AsyncIterator[Hold]:
        """Holds the upload during the block. A request of this process that holds it is asked to give way.

        Raises:
            UploadLockedError: Somebody else writes to it.
            UploadNotFoundError: It is gone.
            Refused: It is over.
        """
        await self.make_way(upload.id)
        hold = await self._take(upload)
        self._here[upload.id] = hold
        try:
            yield hold
        finally:
            try:
                await asyncio.shield(hold.give_back())
            finally:
                hold.left.set()
                if self._here.get(upload.id) is hold:
                    del self._here[upload.id]

    async def make_way(self, upload_id: str) -> None:
        """Asks a request of this process that holds the upload to leave it, and waits a while for that."""
        if (other := self._here.get(upload_id)) is not None:
            other.asked_away.set()
            await set_within(other.left, _GIVES_WAY_SECONDS)

    async def _take(self, upload: Upload) -> Hold:
        holder = new_id()
        try:
            taken = await transact(
                self._store, upload.id, lambda current: take(current, holder, self._lease_seconds)
            )
        except NotFoundError:
            raise UploadNotFoundError(upload.id) from None
        except ContendedError:
            raise UploadLockedError(upload.id) from None
        except Refused as refused:
            if (latest := await self._store.get(upload.id)) is not None and latest.state.over:
                raise
            raise UploadLockedError(upload.id) from refused
        return Hold(self._store, taken, holder, self._lease_seconds)
