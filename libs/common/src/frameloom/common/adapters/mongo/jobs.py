"""The jobs in MongoDB: every query of the collection."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from pymongo import ASCENDING, UpdateMany

from frameloom.common.adapters.mongo.client import Mongo, translated
from frameloom.common.adapters.mongo.codec import Bson, decode, encode
from frameloom.common.adapters.mongo.documents import Documents
from frameloom.common.documents import JobDocument, JobStatus
from frameloom.common.ports.stores import JobRow

_PENDING = JobStatus.PENDING.value
_ACTIVE = [status.value for status in JobStatus if not status.terminal]
_CANCELLED = JobStatus.CANCELLED.value
_DELETED = JobStatus.DELETED.value
_GONE_OR_OVER = [status.value for status in JobStatus if status.terminal]
_OVER = [status for status in _GONE_OR_OVER if status != _DELETED]
_AS_LISTED = {"events": 0, "tasks.result": 0, "tasks.failure": 0, "segments": 0}
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
            await self._collection.create_index(
                [("deleted_at", ASCENDING)], partialFilterExpression={"status": _DELETED}
            )

    async def unrelayed(self) -> int:
        """How many jobs have events that are not known to be in Kafka."""
        with translated():
            return await self._collection.count_documents({"relay_due": True})

    async def insert(self, job: JobDocument) -> None:
        """Stores a new job, durably."""
        with translated():
            await self._collection.insert_one(encode(job))

    async def get(self, key: str) -> JobDocument | None:
        """The job, or None: there is none, or it was deleted."""
        found = await self._read(key)
        return None if found is None or found.status is JobStatus.DELETED else found

    async def with_tombstone(self, job_id: str) -> JobDocument | None:
        """The job, or what is left of a deleted one until it is purged."""
        return await self._read(job_id)

    async def known(self, job_ids: Sequence[str]) -> set[str]:
        """Those of the ids that belong to a job, or to what is left of one."""
        with translated():
            found = await self._collection.find({"_id": {"$in": list(job_ids)}}, {"_id": 1}).to_list()
        return {str(row["_id"]) for row in found}

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
        if status is JobStatus.DELETED:
            return []
        span: Bson = {"tenant": tenant, "created_at": {"$gte": since, "$lt": before}}
        if status is not None:
            span["status"] = status.value
        wanted = skip + limit
        rows: list[Bson] = []
        with translated():
            cursor = self._collection.find(span, _AS_LISTED, sort=_OLDEST_FIRST, batch_size=wanted + 1)
            async with cursor:
                async for row in cursor:
                    # Here, not in the query: with a condition that is not in the index the embedded database
                    # reads the whole collection. Deleted jobs are few, and not for long.
                    if row["status"] != _DELETED:
                        rows.append(row)
                    if len(rows) == wanted:
                        break
        return [decode(JobDocument, row) for row in rows[skip:]]

    async def census(self) -> AsyncIterator[list[JobRow]]:
        """Every job of every tenant that is not deleted: MongoDB answers from the index alone."""
        shown = {"tenant": 1, "status": 1, "created_at": 1}
        with translated():
            cursor = self._collection.find({}, shown, hint=_BY_STATUS, batch_size=_CENSUS_BATCH)
            async with cursor:
                while rows := await cursor.to_list(_CENSUS_BATCH):
                    yield [
                        JobRow(row["_id"], row["tenant"], JobStatus(row["status"]), row["created_at"])
                        for row in rows
                        if row["status"] != _DELETED
                    ]

    async def relay_due(self, limit: int) -> list[JobDocument]:
        """Jobs with events that are not known to be in Kafka."""
        return await self._find({"relay_due": True}, limit=limit)

    async def mark_relayed(self, relayed: Sequence[tuple[str, int]]) -> None:
        """Everything of a job up to a sequence is in Kafka; the flag falls if nothing came after it."""
        if not relayed:
            return
        # Most stand at one of a few sequences. The embedded database does one update of many documents with
        # half the work of as many updates.
        by_seq: defaultdict[int, list[str]] = defaultdict(list)
        for key, seq in relayed:
            by_seq[seq].append(key)
        updates = [
            UpdateMany({"_id": {"$in": keys}, "seq": seq}, {"$set": {"relayed_seq": seq, "relay_due": False}})
            for seq, keys in by_seq.items()
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
        """Jobs that are over or deleted, and whose leftovers may still lie in the bucket."""
        return await self._find({"tidied": False, "status": {"$in": _GONE_OR_OVER}}, limit=limit)

    async def stopping(self, limit: int) -> list[JobDocument]:
        """Cancelled and deleted jobs that are not tidied: tasks of theirs may still run."""
        return await self._find({"tidied": False, "status": {"$in": [_CANCELLED, _DELETED]}}, limit=limit)

    async def expired(self, before: datetime, limit: int) -> list[JobDocument]:
        """Jobs that were over before this time.

        What was over by then was made before then: so the index over ``created_at`` serves. Status by status,
        because of several with a span the embedded database reads everything.
        """
        found: list[JobDocument] = []
        for status in _OVER:
            found += await self._aggregated(
                [
                    {"$match": {"status": status, "created_at": {"$lt": before}}},
                    {"$match": {"completed_at": {"$lt": before}}},
                    {"$limit": limit},
                ]
            )
        return found[:limit]

    async def purgeable(self, older_than_seconds: float, limit: int) -> list[JobDocument]:
        """Deleted jobs of a while ago that are swept from the bucket, with all events in Kafka.

        Only the oldest ones are looked at: the younger ones are not due before them.
        """
        since = {"$subtract": [{"$toLong": "$$NOW"}, int(older_than_seconds * 1000)]}
        return await self._aggregated(
            [
                {"$match": {"status": _DELETED, "tidied": True, "relay_due": False}},
                {"$sort": {"deleted_at": ASCENDING}},
                {"$limit": limit},
                {"$match": {"$expr": {"$lt": [{"$toLong": "$deleted_at"}, since]}}},
            ]
        )

    async def remove(self, job: JobDocument) -> bool:
        """Removes the document of a deleted job for good, if it is still as it was and all events are out."""
        condition = {"_id": job.id, "rev": job.rev, "status": _DELETED, "relay_due": False}
        with translated():
            done = await self._collection.delete_one(condition)
        return bool(done.deleted_count)

    async def active_of_key(self, key_id: str) -> int:
        """How many jobs of an API key are pending or running."""
        with translated():
            return await self._collection.count_documents({"key_id": key_id, "status": {"$in": _ACTIVE}})

    async def bytes_of_key(self, key_id: str) -> int:
        """How many bytes of media the jobs of an API key have."""
        stages: list[Bson] = [
            {"$match": {"key_id": key_id, "status": {"$ne": _DELETED}}},
            {"$group": {"_id": None, "bytes": {"$sum": "$media.size_bytes"}}},
        ]
        with translated():
            rows = await (await self._collection.aggregate(stages)).to_list()
        return int(rows[0]["bytes"]) if rows else 0

    async def changed_since(self, tenant: str, since: datetime, limit: int) -> list[JobDocument]:
        """A tenant's jobs that changed at or after this time, oldest change first; deleted ones too."""
        return await self._find(
            {"tenant": tenant, "updated_at": {"$gte": since}},
            order=[("updated_at", ASCENDING)],
            limit=limit,
        )
