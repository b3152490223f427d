"""The jobs in MongoDB: every query of the collection."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pymongo import ASCENDING, UpdateOne

from frameloom.common.adapters.mongo.client import Mongo, translated
from frameloom.common.adapters.mongo.codec import Bson, decode, encode
from frameloom.common.adapters.mongo.documents import Documents
from frameloom.common.documents import JobDocument, JobStatus
from frameloom.common.ports.stores import JobPage

_PENDING = JobStatus.PENDING.value
_OVER = [status.value for status in JobStatus if status.terminal]
_WITHOUT_LOG = {"events": 0}
# created_at alone is not unique, and a page must not show a job twice.
_OLDEST_FIRST = [("created_at", ASCENDING), ("_id", ASCENDING)]


class MongoJobStore(Documents[JobDocument]):
    """The job store on MongoDB."""

    def __init__(self, mongo: Mongo) -> None:
        super().__init__(mongo.collection("jobs"), JobDocument)

    async def create_indexes(self) -> None:
        """Creates the indexes that the queries below lean on."""
        with translated():
            await self._collection.create_index([("tenant", ASCENDING), *_OLDEST_FIRST])
            await self._collection.create_index(
                [("tenant", ASCENDING), ("status", ASCENDING), *_OLDEST_FIRST]
            )
            await self._collection.create_index([("tenant", ASCENDING), ("updated_at", ASCENDING)])
            await self._collection.create_index([("status", ASCENDING), ("created_at", ASCENDING)])
            await self._collection.create_index(
                [("relay_due", ASCENDING)], partialFilterExpression={"relay_due": True}
            )
            await self._collection.create_index(
                [("tidied", ASCENDING), ("status", ASCENDING)], partialFilterExpression={"tidied": False}
            )

    async def insert(self, job: JobDocument) -> None:
        """Stores a new job, durably."""
        with translated():
            await self._collection.insert_one(encode(job))

    async def page(self, *, tenant: str, status: JobStatus | None, skip: int, limit: int) -> JobPage:
        """A tenant's jobs, oldest first, without their event logs."""
        condition: Bson = {"tenant": tenant, **({"status": status.value} if status else {})}
        with translated():
            total = await self._collection.count_documents(condition)
            rows = await self._collection.find(
                condition, _WITHOUT_LOG, sort=_OLDEST_FIRST, skip=skip, limit=limit
            ).to_list()
        return JobPage(tuple(decode(JobDocument, row) for row in rows), total)

    async def queue_position(self, job: JobDocument) -> int:
        """How many pending jobs were created before this one, plus one."""
        with translated():
            before = await self._collection.count_documents(
                {"status": _PENDING, "created_at": {"$lt": job.created_at}}
            )
        return before + 1

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

    async def changed_since(self, tenant: str, since: datetime, limit: int) -> list[JobDocument]:
        """A tenant's jobs that changed at or after this time, oldest change first."""
        return await self._find(
            {"tenant": tenant, "updated_at": {"$gte": since}},
            order=[("updated_at", ASCENDING)],
            limit=limit,
        )
