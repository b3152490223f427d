"""What the database tells of itself, and counts over all tenants: the same in memory and on the database."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from frameloom.common.adapters.memory import MemoryDatabase, MemoryJobStore, MemoryTaskStore
from frameloom.common.adapters.mongo import Mongo, MongoDatabase, MongoJobStore, MongoTaskStore
from frameloom.common.clock import SystemClock
from frameloom.common.documents import (
    JobDocument,
    JobStatus,
    MediaRef,
    TaskDocument,
    TaskResult,
    TaskState,
)
from frameloom.common.ports.database import Database
from frameloom.common.ports.stores import JobStore, TaskStore
from frameloom.common.settings import MongoSettings
from support.grounds import Grounds

NOW = datetime(2026, 11, 25, tzinfo=UTC)
MEDIA = MediaRef(key="media/j/source", filename="a.mp4", size_bytes=1, sha256="00")


@dataclass
class World:
    """A database and two of its stores."""

    database: Database
    jobs: JobStore
    tasks: TaskStore


@pytest.fixture(params=["memory", "embedded"])
async def world(request: pytest.FixtureRequest, all_grounds: Grounds) -> AsyncIterator[World]:
    if request.param == "memory":
        jobs, tasks = MemoryJobStore(SystemClock()), MemoryTaskStore(SystemClock())
        yield World(MemoryDatabase({"jobs": jobs.held, "tasks": tasks.held}), jobs, tasks)
        return
    ground = await all_grounds.get(request.param)
    settings = MongoSettings(
        uri=ground.environment["FRAMELOOM_MONGO_URI"], database=f"d{uuid.uuid4().hex[:10]}"
    )
    async with Mongo.connected(settings) as mongo:
        stores = MongoJobStore(mongo), MongoTaskStore(mongo)
        for store in stores:
            await store.create_indexes()
        yield World(MongoDatabase(mongo), *stores)


def job(name: str, tenant: str, status: JobStatus, **more: object) -> JobDocument:
    fields: dict[str, object] = {"tenant": tenant, "status": status, "media": MEDIA, **more}
    return JobDocument.model_validate(
        {"id": name, "selected_pipelines": ("a",), "created_at": NOW, "updated_at": NOW, **fields}
    )


def task(name: str, pipeline: str, state: TaskState, **more: object) -> TaskDocument:
    fields: dict[str, object] = {"tenant": "x", "media": MEDIA, "created_at": NOW, **more}
    return TaskDocument.model_validate(
        {"id": name, "job_id": name, "pipeline": pipeline, "state": state, **fields}
    )


async def test_it_tells_of_itself_and_of_its_collections(world: World) -> None:
    await world.jobs.insert(job("j", "x", JobStatus.PENDING))
    assert 0 <= await world.database.ping() < 10
    report = await world.database.report()
    assert report.backend in {"mongodb", "memory"}
    assert report.version
    assert report.connections >= 1
    assert ":" in report.address
    assert "@" not in report.address
    held = {collection.name: collection for collection in report.collections}
    assert held["jobs"].documents == 1
    assert held["tasks"].documents == 0
    assert "_id" in held["jobs"].indexes


async def test_jobs_with_unpublished_events_are_counted(world: World) -> None:
    assert await world.jobs.unrelayed() == 0
    await world.jobs.insert(job("a", "x", JobStatus.PENDING, relay_due=True))
    await world.jobs.insert(job("b", "y", JobStatus.PENDING))
    assert await world.jobs.unrelayed() == 1


async def test_tasks_are_counted_by_pipeline_and_state(world: World) -> None:
    result = TaskResult(epoch=1, manifest_key="m", artefacts=(), annotation_count=7)
    assert await world.tasks.annotations_total() == 0
    await world.tasks.insert_missing(
        [
            task("1", "a", TaskState.QUEUED),
            task("2", "a", TaskState.QUEUED, tenant="y"),
            task("3", "b", TaskState.RUNNING, pending_fold=True),
            task("4", "b", TaskState.FINALIZING),
            task("5", "b", TaskState.COMPLETED, result=result),
            task("6", "a", TaskState.COMPLETED, result=result),
            task("7", "a", TaskState.FAILED),
        ]
    )
    backlog = await world.tasks.backlog()
    assert backlog.tasks == {
        ("a", TaskState.QUEUED): 2,
        ("b", TaskState.RUNNING): 1,
        ("b", TaskState.FINALIZING): 1,
    }
    assert backlog.unfolded == 1
    assert await world.tasks.ends() == {
        TaskState.COMPLETED: 2,
        TaskState.FAILED: 1,
        TaskState.CANCELLED: 0,
    }
    assert await world.tasks.annotations_total() == 14
