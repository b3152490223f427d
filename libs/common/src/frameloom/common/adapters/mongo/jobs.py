"""The jobs in MongoDB: every query of the collection."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from pymongo import ASCENDING, UpdateOne

from frameloom.common.adapters.mongo.client import Mongo, translated
from frameloom.common.adapters.mongo.codec import Bson, decode, encode
from frameloom.common.adapters.mongo.documents import Documents
from frameloom.common.documents import JobDocument, JobStatus
from frameloom.common.ports.stores import JobRow

_PENDING = JobStatus.PENDING.value
_ACTIVE = [status.value for status in JobStatus if not status.terminal]
_OVER = [status.value for status in JobStatus if status.terminal]
_AS_LISTED = {"events": 0, "tasks.result": 0, "tasks.failure": 0}
# created_at alone is not unique, and a page must not show a job twice.
_OLDEST_FIRST = [("created_at", ASCENDING), ("_id", ASCENDING)]
_BY_STATUS = [("tenant", ASCENDING), ("status", ASCENDING), *_OLDEST_FIRST]
_CENSUS_BATCH = 500


class MongoJobStore(Documents[JobDocument]):
    """The job store on MongoDB."""

    def __init__(self, mongo: Mongo) -> None:
        super().__init__(mongo.collection("jobs"), JobDocument)

    async def create_indexes(self) -> None:
        """Creates the indexes that the queries below lean on."""
        with translated():
            await self._collection.create_index([("tenant", ASCENDING), *_OLDEST_FIRST])
            await self._collection.create_index(_BY_STATUS)
            await self._collection.create_index([("tenant", ASCENDING), ("updated_at", ASCENDING)])
            await self._collection.create_index([("key_id", ASCENDING), ("status", ASCENDING)])
            await self._collection.create_index([("status", ASCENDING), ("created_at", ASCENDING)])
            await self._collection.create_index(
                [("relay_due", ASCENDING)], partialFilterExpression={"relay_due": True}
            )
            await self._collection.create_index(
                [("tidied", ASCENDING), ("status", ASCENDING)], partialFilterExpression={"tidied": False}
            )

    async def unrelayed(self) -> int:
        """How many jobs have events that are not known to be in Kafka."""
        with translated():
            return await self._collection.count_documents({"relay_due": True})

    async def insert(self, job: JobDocument) -> None:
        """Stores a new job, durably."""
        with translated():
            await self._collection.insert_one(encode(job))

    async def between(
        self,
        *,
        tenant: str,
        status: JobStatus | None,
        since: datetime,
        before: datetime,
        skip: int,
        limit: int,
    ) -> list[JobDocument]:
        """A tenant's jobs that were created in this span, oldest first, as a list shows them.

        The embedded database reads all that an index leads to before it sorts and cuts: without a span that
        is bounded on both sides a page would cost it every job of the tenant. And of a span that includes
        its end it loses the end, where the index goes on behind the field.
        """
        condition: Bson = {
            "tenant": tenant,
            **({"status": status.value} if status else {}),
            "created_at": {"$gte": since, "$lt": before},
        }
        with translated():
            rows = await self._collection.find(
                condition, _AS_LISTED, sort=_OLDEST_FIRST, skip=skip, limit=limit
            ).to_list()
        return [decode(JobDocument, row) for row in rows]

    async def census(self) -> AsyncIterator[list[JobRow]]:
        """Every job of every tenant: MongoDB answers from the index alone."""
        shown = {"tenant": 1, "status": 1, "created_at": 1}
        with translated():
            cursor = self._collection.find({}, shown, hint=_BY_STATUS, batch_size=_CENSUS_BATCH)
            async with cursor:
                while rows := await cursor.to_list(_CENSUS_BATCH):
                    yield [
                        JobRow(row["_id"], row["tenant"], JobStatus(row["status"]), row["created_at"])
                        for row in rows
                    ]

    async def relay_due(self, limit: int) -> list[JobDocument]:
        """Jobs with events that are not known to be in Kafka."""
        return await self._find({"relay_due": True}, limit=limit)

    async def mark_relayed(self, relayed: Sequence[tuple[str, int]]) -> None:
        """Everything of a job up to a sequence is in Kafka; the flag falls if nothing came after it."""
        if not relayed:
            return
        updates = [
            UpdateOne({"_id": key, "seq": seq}, {"$set": {"relayed_seq": seq, "relay_due": False}})
            for key, seq in relayed
        ]
        with translated():
            await self._collection.bulk_write(updates, ordered=False)

    async def unplanned(self, older_than_seconds: float, limit: int) -> list[JobDocument]:
        """Pending jobs that nobody has planned for a while."""
        since = {"$subtract": [{"$toLong": "$$NOW"}, int(older_than_seconds * 1000)]}
        return await self._find_by_clock(
            {"status": _PENDING, "planned": False},
            {"$expr": {"$lt": [{"$toLong": "$created_at"}, since]}},
            limit=limit,
        )

    async def untidied(self, limit: int) -> list[JobDocument]:
        """Jobs that are over and whose leftovers may still lie in the bucket."""
        return await self._find({"tidied": False, "status": {"$in": _OVER}}, limit=limit)

    async def active_of_key(self, key_id: str) -> int:
        """How many jobs of an API key are pending or running."""
        with translated():
            return await self._collection.count_documents({"key_id": key_id, "status": {"$in": _ACTIVE}})

    async def bytes_of_key(self, key_id: str) -> int:
        """How many bytes of media the jobs of an API key have."""
        stages: list[Bson] = [
            {"$match": {"key_id": key_id, "status": {"$ne": "deleted"}}},
            {"$group": {"_id": None, "bytes": {"$sum": "$media.size_bytes"}}},
        ]
        with translated():
            rows = await (await self._collection.aggregate(stages)).to_list()
        return int(rows[0]["bytes"]) if rows else 0

    async def changed_since(self, tenant: str, since: datetime, limit: int) -> list[JobDocument]:
        """A tenant's jobs that changed at or after this time, oldest change first."""
        return await self._find(
            {"tenant": tenant, "updated_at": {"$gte": since}},
            order=[("updated_at", ASCENDING)],
            limit=limit,
        )
