"""Uploads that come in parts, in MongoDB: every query of the collection."""

from __future__ import annotations

from datetime import datetime

from pymongo import ASCENDING

from frameloom.common.adapters.mongo.client import Mongo, translated
from frameloom.common.adapters.mongo.codec import Bson, encode, unset_or_past
from frameloom.common.adapters.mongo.documents import Documents
from frameloom.common.documents import Upload, UploadState
from frameloom.common.ports.stores import OpenUploads

_NOT_OVER = [state.value for state in UploadState if not state.over]


class MongoUploadStore(Documents[Upload]):
    """The upload store on MongoDB."""

    def __init__(self, mongo: Mongo) -> None:
        super().__init__(mongo.collection("uploads"), Upload)

    async def create_indexes(self) -> None:
        """Creates the indexes that the queries below lean on."""
        with translated():
            await self._collection.create_index([("expires_at", ASCENDING)])
            await self._collection.create_index([("state", ASCENDING)])
            await self._collection.create_index(
                [("tenant", ASCENDING), ("account", ASCENDING), ("state", ASCENDING)]
            )

    async def insert(self, upload: Upload) -> None:
        """Stores a new upload."""
        with translated():
            await self._collection.insert_one(encode(upload))

    async def delete(self, upload_id: str) -> None:
        """Forgets an upload."""
        with translated():
            await self._collection.delete_one({"_id": upload_id})

    async def open_of(self, account: str | None, tenant: str) -> OpenUploads:
        """How many uploads of an account are not over, and their declared bytes."""
        stages: list[Bson] = [
            {"$match": {"tenant": tenant, "account": account, "state": {"$in": _NOT_OVER}}},
            {"$group": {"_id": None, "count": {"$sum": 1}, "bytes": {"$sum": "$length_bytes"}}},
        ]
        with translated():
            rows = await (await self._collection.aggregate(stages)).to_list()
        return OpenUploads(int(rows[0]["count"]), int(rows[0]["bytes"])) if rows else OpenUploads(0, 0)

    async def left_unexamined(self, limit: int) -> list[Upload]:
        """Uploads whose bytes are all there and which nobody examines."""
        return await self._find_by_clock(
            {"state": UploadState.RECEIVED.value}, unset_or_past("lease_until"), limit=limit
        )

    async def expired(self, now: datetime, limit: int) -> list[Upload]:
        """Uploads whose time is over."""
        return await self._find({"expires_at": {"$lt": now}}, limit=limit)
