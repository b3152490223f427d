"""The API keys, and what the server made up for itself, in MongoDB: every query of the two collections."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from pymongo import ASCENDING
from pymongo.errors import DuplicateKeyError

from frameloom.common.adapters.mongo.client import Mongo, translated
from frameloom.common.adapters.mongo.codec import Bson, decode, encode
from frameloom.common.adapters.mongo.documents import Documents
from frameloom.common.documents import ApiKey

_OLDEST_FIRST = [("created_at", ASCENDING), ("_id", ASCENDING)]


class MongoKeyStore(Documents[ApiKey]):
    """The key store on MongoDB."""

    def __init__(self, mongo: Mongo) -> None:
        super().__init__(mongo.collection("keys"), ApiKey)

    async def create_indexes(self) -> None:
        """Creates the indexes that the queries below lean on."""
        with translated():
            await self._collection.create_index([("hash", ASCENDING)], unique=True)
            await self._collection.create_index([("tenant", ASCENDING), *_OLDEST_FIRST])

    async def insert(self, key: ApiKey) -> bool:
        """Stores a new key, if neither its id nor its hash is there."""
        try:
            with translated():
                await self._collection.insert_one(encode(key))
        except DuplicateKeyError:
            return False
        return True

    async def find(self, hashes: Sequence[str]) -> ApiKey | None:
        """The key that has one of these hashes."""
        for one in hashes:
            with translated():
                found = await self._collection.find_one({"hash": one})
            if found:
                return decode(ApiKey, found)
        return None

    async def of_tenant(self, tenant: str | None) -> list[ApiKey]:
        """A tenant's keys, oldest first; None: everybody's."""
        return await self._find({} if tenant is None else {"tenant": tenant}, order=_OLDEST_FIRST)

    async def any(self) -> bool:
        """Whether there is a key at all."""
        with translated():
            return await self._collection.find_one({}, {"_id": 1}) is not None

    async def touch(self, key_id: str, used_at: datetime, every_seconds: float) -> None:
        """Notes a use, unless one was noted less than this long before."""
        before = used_at - timedelta(seconds=every_seconds)
        due: Bson = {"_id": key_id, "$or": [{"last_used_at": None}, {"last_used_at": {"$lte": before}}]}
        with translated():
            await self._collection.update_one(due, {"$set": {"last_used_at": used_at}})


class MongoSecretStore:
    """The secret store on MongoDB."""

    def __init__(self, mongo: Mongo) -> None:
        self._collection = mongo.collection("secrets")

    async def ensure(self, name: str, value: str) -> str:
        """Stores a value under a name that has none; of two that come at once the first one stays."""
        if (known := await self.get(name)) is not None:
            return known
        try:
            with translated():
                await self._collection.insert_one({"_id": name, "value": value})
        except DuplicateKeyError:
            known = await self.get(name)
            assert known is not None, "names are never removed"
            return known
        return value

    async def get(self, name: str) -> str | None:
        """What stands there."""
        with translated():
            found = await self._collection.find_one({"_id": name})
        return str(found["value"]) if found else None
