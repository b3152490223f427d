"""The tasks in MongoDB: every query of the collection."""

from __future__ import annotations

from collections.abc import Sequence

from pymongo import ASCENDING, DESCENDING, InsertOne, UpdateOne
from pymongo.errors import BulkWriteError

from frameloom.common.adapters.mongo.client import Mongo, translated
from frameloom.common.adapters.mongo.codec import Bson, encode, past, unset_or_past
from frameloom.common.adapters.mongo.documents import Documents
from frameloom.common.documents import TaskDocument, TaskState
from frameloom.common.ports.stores import Backlog

_DUPLICATE_KEY = 11000
_LEASED = [TaskState.RUNNING.value, TaskState.FINALIZING.value]
_WAITING = TaskState.WAITING.value
_QUEUED = TaskState.QUEUED.value
_ORDER = [("priority", DESCENDING), ("created_at", ASCENDING), ("_id", ASCENDING)]


class MongoTaskStore(Documents[TaskDocument]):
    """The task store on MongoDB."""

    def __init__(self, mongo: Mongo) -> None:
        super().__init__(mongo.collection("tasks"), TaskDocument)

    async def create_indexes(self) -> None:
        """Creates the indexes that the queries below lean on."""
        with translated():
            await self._collection.create_index([("job_id", ASCENDING)])
            await self._collection.create_index(
                [("state", ASCENDING), ("pipeline", ASCENDING), ("tenant", ASCENDING), *_ORDER[:2]]
            )
            await self._collection.create_index(
                [("pending_fold", ASCENDING)], partialFilterExpression={"pending_fold": True}
            )

    async def backlog(self) -> Backlog:
        """How many tasks are not over, over all tenants."""
        stages: list[Bson] = [
            {"$match": {"state": {"$in": [_WAITING, _QUEUED, *_LEASED]}}},
            {"$group": {"_id": {"pipeline": "$pipeline", "state": "$state"}, "n": {"$sum": 1}}},
        ]
        with translated():
            rows = await (await self._collection.aggregate(stages)).to_list()
            unfolded = await self._collection.count_documents({"pending_fold": True})
        tasks = {(str(r["_id"]["pipeline"]), TaskState(r["_id"]["state"])): int(r["n"]) for r in rows}
        return Backlog(tasks, unfolded)

    async def ends(self) -> dict[TaskState, int]:
        """How many tasks ended each way, over all tenants."""
        over = [state for state in TaskState if state.terminal]
        with translated():
            return {state: await self._collection.count_documents({"state": state.value}) for state in over}

    async def annotations_total(self) -> int:
        """How many annotations all visible results have."""
        stages: list[Bson] = [
            {"$match": {"state": TaskState.COMPLETED.value}},
            {"$group": {"_id": None, "n": {"$sum": "$result.annotation_count"}}},
        ]
        with translated():
            rows = await (await self._collection.aggregate(stages)).to_list()
        return int(rows[0]["n"]) if rows else 0

    async def insert_missing(self, tasks: Sequence[TaskDocument]) -> None:
        """Stores new tasks; those already there stay as they are."""
        try:
            with translated():
                await self._collection.bulk_write([InsertOne(encode(task)) for task in tasks], ordered=False)
        except BulkWriteError as error:
            if any(e.get("code") != _DUPLICATE_KEY for e in error.details["writeErrors"]):
                raise

    async def of_job(self, job_id: str) -> list[TaskDocument]:
        """All tasks of a job."""
        return await self._find({"job_id": job_id})

    async def remove_of_job(self, job_id: str) -> None:
        """Removes all tasks of a job for good."""
        with translated():
            await self._collection.delete_many({"job_id": job_id})

    async def pending_fold(self, limit: int) -> list[TaskDocument]:
        """Tasks with events that their job has not seen."""
        return await self._find({"pending_fold": True}, limit=limit)

    async def mark_folded(self, folded: Sequence[tuple[str, int]]) -> None:
        """Empties the outbox of each task that is still at the folded revision."""
        if not folded:
            return
        done = {"$set": {"outbox": [], "pending_fold": False}}
        with translated():
            await self._collection.bulk_write(
                [UpdateOne({"_id": key, "rev": rev}, done) for key, rev in folded], ordered=False
            )

    async def lease_expired(self, limit: int) -> list[TaskDocument]:
        """Tasks whose lease has run out, by the database's clock."""
        return await self._find_by_clock({"state": {"$in": _LEASED}}, past("lease_until"), limit=limit)

    async def waiting(self, pipeline: str, limit_per_tenant: int) -> list[TaskDocument]:
        """Eligible, undispatched tasks of a pipeline: each tenant's first ones."""
        condition: Bson = {"state": _QUEUED, "pipeline": pipeline, "dispatched_at": None}
        with translated():
            tenants = await self._collection.distinct("tenant", condition)
        found: list[TaskDocument] = []
        for tenant in tenants:
            found += await self._find_by_clock(
                {**condition, "tenant": tenant},
                unset_or_past("next_eligible_at"),
                order=_ORDER,
                limit=limit_per_tenant,
            )
        return found

    async def waiting_pipelines(self) -> set[str]:
        """Pipelines that have queued tasks."""
        with translated():
            return set(await self._collection.distinct("pipeline", {"state": _QUEUED}))

    async def unclaimed(self, pipeline: str) -> list[TaskDocument]:
        """Queued tasks whose message is out and has led to no claim yet."""
        return await self._find({"state": _QUEUED, "pipeline": pipeline, "dispatched_at": {"$ne": None}})

    async def running_by_owner(self) -> dict[str, int]:
        """How many slots of each worker are taken: tasks that share another's slot do not count."""
        return await self._count({"state": TaskState.RUNNING.value, "led_by": None}, "owner")

    async def running_by_tenant(self, pipeline: str) -> dict[str, int]:
        """How many tasks of a pipeline run, by tenant."""
        return await self._count({"state": TaskState.RUNNING.value, "pipeline": pipeline}, "tenant")

    async def _count(self, condition: Bson, field: str) -> dict[str, int]:
        stages = [{"$match": condition}, {"$group": {"_id": f"${field}", "n": {"$sum": 1}}}]
        with translated():
            rows = await (await self._collection.aggregate(stages)).to_list()
        return {str(row["_id"]): int(row["n"]) for row in rows}
