"""Uploads that come in parts, in a dictionary."""

from __future__ import annotations

from datetime import datetime

from frameloom.common.adapters.memory.stores import MemoryCollection
from frameloom.common.documents import Upload, UploadState
from frameloom.common.ports.stores import OpenUploads


class MemoryUploadStore(MemoryCollection[Upload]):
    """The upload store in memory."""

    async def insert(self, upload: Upload) -> None:
        """Stores a new upload."""
        self.held[upload.id] = upload

    async def delete(self, upload_id: str) -> None:
        """Forgets an upload."""
        self.held.pop(upload_id, None)

    async def open_of(self, account: str | None, tenant: str) -> OpenUploads:
        """How many uploads of an account are not over, and their declared bytes."""
        found = self._where(
            lambda one: one.tenant == tenant and one.account == account and not one.state.over
        )
        return OpenUploads(len(found), sum(one.length_bytes for one in found))

    async def left_unexamined(self, limit: int) -> list[Upload]:
        """Uploads whose bytes are all there and which nobody examines."""
        return self._where(
            lambda one: (
                one.state is UploadState.RECEIVED and (one.lease_until is None or self._past(one.lease_until))
            ),
            limit,
        )

    async def expired(self, now: datetime, limit: int) -> list[Upload]:
        """Uploads whose time is over."""
        return self._where(lambda one: one.expires_at < now, limit)
