"""What MongoDB tells of itself."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from pymongo.errors import OperationFailure

from frameloom.common.adapters.mongo.client import Mongo, translated
from frameloom.common.ports.database import CollectionReport, DatabaseReport


class MongoDatabase:
    """The database behind the stores."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo

    async def ping(self) -> float:
        """Asks for a sign of life; how many seconds it took."""
        began = time.monotonic()
        await self._mongo.ping()
        return time.monotonic() - began

    async def report(self) -> DatabaseReport:
        """Everything there is to tell."""
        took = await self.ping()
        with translated():
            about = await self._mongo.command("buildInfo")
            size = await self._size()
            names = sorted(await self._mongo.collection_names())
            collections = [await self._collection(name) for name in names]
        return DatabaseReport(
            backend="mongodb",
            version=str(about.get("version", "unknown")),
            name=self._mongo.name,
            address=self._mongo.address,
            ping_seconds=took,
            connections=self._mongo.connections,
            size_bytes=size,
            collections=tuple(collections),
        )

    async def _size(self) -> int | None:
        try:
            stats = await self._mongo.command("dbStats")
        except OperationFailure:  # the account may not ask, or the server does not know
            return None
        size = stats.get("totalSize", stats.get("storageSize"))
        return None if size is None else int(size)

    async def _collection(self, name: str) -> CollectionReport:
        collection = self._mongo.collection(name)
        indexes: Sequence[dict[str, Any]] = list((await collection.index_information()).values())
        keys = sorted(", ".join(str(field) for field, _ in index["key"]) for index in indexes)
        return CollectionReport(name, await collection.estimated_document_count(), tuple(keys))
