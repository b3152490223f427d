"""Cancelling and deleting what runs, over all services: the process is gone, and nothing comes back."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from frameloom.common.documents import TaskState
from support.deployment import SERVICES, Deployment
from support.gate import Gate, gone
from support.media import clip

WAIT = 60.0


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path)


@pytest.fixture
def short(tmp_path: Path) -> Path:
    return clip(tmp_path / "short.mp4", seconds=0.4)


class Watcher:
    """A client that watches all jobs from now on."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []
        self.connected = asyncio.Event()
        self._changed = asyncio.Condition()

    @classmethod
    @asynccontextmanager
    async def of(cls, deployment: Deployment) -> AsyncIterator[Watcher]:
        watcher = cls()
        task = asyncio.create_task(watcher._listen(deployment))
        try:
            async with asyncio.timeout(WAIT):
                await watcher.connected.wait()
            yield watcher
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def has(self, job_id: str, kind: str) -> dict[str, Any]:
        """The event, once it has come."""

        def found() -> dict[str, Any] | None:
            return next((e for e in self.seen if (e["job_id"], e["type"]) == (job_id, kind)), None)

        async with asyncio.timeout(WAIT), self._changed:
            await self._changed.wait_for(lambda: found() is not None)
        event = found()
        assert event is not None
        return event

    def kinds(self, job_id: str) -> list[str]:
        return [event["type"] for event in self.seen if event["job_id"] == job_id]

    async def _listen(self, deployment: Deployment) -> None:
        async with deployment.http.get(f"{deployment.base_url}/api/v1/events/stream?format=events") as answer:
            async for line in answer.content:
                if not line.startswith(b"data:"):
                    continue
                event = json.loads(line[5:])
                if event["type"] == "connected":
                    self.connected.set()
                elif "seq" in event:
                    async with self._changed:
                        self.seen.append(event)
                        self._changed.notify_all()


async def all_gone(deployment: Deployment, job_id: str) -> None:
    """Returns when nothing is left of a deleted job: no object, no task, no tombstone."""
    async with asyncio.timeout(WAIT):
        while (await deployment.left_of(job_id)) != (None, []) or await deployment.keys_of(job_id):
            await asyncio.sleep(0.1)


async def listing(deployment: Deployment, gateway: str, job_ids: set[str]) -> None:
    """The list of a gateway has no others at once, and tells so many soon: it hears of the others' doings."""
    async with asyncio.timeout(WAIT):
        while True:
            async with deployment.http.get(f"{deployment.url_of(gateway)}/api/v1/jobs/") as answer:
                listed = await answer.json()
            found = {job["id"] for job in listed["jobs"]}
            assert found <= job_ids
            if (found, listed["total"]) == (job_ids, len(job_ids)):
                return
            await asyncio.sleep(0.05)


async def test_a_cancel_kills_what_runs_at_once_also_in_native_code(
    deployment: Deployment, gate: Gate, short: Path
) -> None:
    """With a lease whose first renewal is minutes away, so it is the hint that the worker goes by."""
    deployment.environment["FRAMELOOM_LEASE_SECONDS"] = "600"
    await deployment.start(*SERVICES)
    await deployment.ready()
    async with Watcher.of(deployment) as watcher:
        for number, pipeline in enumerate(("gated", "stuck")):
            job_id = await deployment.submit(short, pipeline, gate.config)
            await gate.somebody_waits(besides=number)
            (child,) = [pid for pid in gate.waiting() if psutil.pid_exists(pid)]
            asked = time.perf_counter()
            first = await deployment.cancel(job_id)
            await gone(child)
            print(
                f"{pipeline}: the child was gone {1000 * (time.perf_counter() - asked):.0f} ms after the POST"
            )
            assert (first["status"], first["error_message"]) == ("cancelled", "Job cancelled by user request")
            assert await deployment.cancel(job_id) == first, "again it is the same answer"
            await watcher.has(job_id, "job.cancelled")
            async with asyncio.timeout(WAIT):
                while (tasks := (await deployment.documents(job_id))[1])[0].state is not TaskState.CANCELLED:
                    await asyncio.sleep(0.05)
            assert len(tasks) == 1
            assert (await deployment.get(f"/api/v1/jobs/{job_id}")).items() <= first.items()
            assert watcher.kinds(job_id)[-1] == "job.cancelled"
    assert psutil.pid_exists(deployment.pid("worker"))
    gate.open()
    after = await deployment.submit(short, "gated", gate.config)
    assert (await deployment.ended(after))["status"] == "completed", "the slot is free again"


async def test_a_job_deleted_while_it_runs_stays_deleted_and_leaves_nothing(
    deployment: Deployment, gate: Gate, short: Path
) -> None:
    """On two gateways. Beside it one that waits behind it, and one that had completed before."""
    deployment.environment["FRAMELOOM_RESULTS_PURGE_AFTER_SECONDS"] = "2"
    await deployment.start(*SERVICES, "gateway-2")
    await deployment.ready()
    complete = await deployment.submit(short, "scene_detection")
    assert (await deployment.ended(complete))["status"] == "completed"
    async with Watcher.of(deployment) as watcher:
        running = await deployment.submit(short, "gated", gate.config)
        await gate.somebody_waits()
        (child,) = gate.waiting()
        waiting = await deployment.submit(short, "gated", gate.config)
        for gateway in ("gateway", "gateway-2"):
            await listing(deployment, gateway, {running, waiting, complete})
        gone_by_now: list[str] = []
        for number, job_id in enumerate((running, waiting, complete)):
            assert await deployment.delete(job_id) == 204
            gone_by_now.append(job_id)
            for gateway in ("gateway", "gateway-2"):
                base = f"{deployment.url_of(gateway)}/api/v1/jobs/{job_id}"
                for path in ("", "/results", "/results/files/scene_detection", "/artifacts"):
                    async with deployment.http.get(base + path) as answer:
                        assert answer.status == 404, path
            assert await deployment.status_of(f"/api/v1/events/stream?job_id={job_id}") == 404
            assert await deployment.delete(job_id) == 404
            listed = await deployment.get("/api/v1/jobs/")
            assert listed["total"] == len(listed["jobs"]) == 2 - number
            await listing(deployment, "gateway-2", {running, waiting, complete} - set(gone_by_now))
        await gone(child)
        gate.open()
        for job_id in (running, waiting, complete):
            told = await watcher.has(job_id, "job.deleted")
            assert (told["status"], told["data"]["cause"]) == ("deleted", "request")
            await all_gone(deployment, job_id)
            assert await deployment.status_of(f"/api/v1/jobs/{job_id}") == 404
            assert watcher.kinds(job_id)[-1] == "job.deleted", "nothing is told of it any more"
    assert len(gate.waiting()) == 1, "the one that waited never ran"
    assert await deployment.keys() == []
    assert (await deployment.get("/api/v1/jobs/"))["jobs"] == []


async def test_jobs_that_are_old_enough_go_by_themselves(deployment: Deployment, short: Path) -> None:
    await deployment.start(*SERVICES)
    await deployment.ready()
    job_id = await deployment.submit(short, "gated")
    assert (await deployment.ended(job_id))["status"] == "completed"
    await deployment.stop("results")
    deployment.environment["STORAGE_RETENTION_DAYS"] = str(1e-6)  # a twelfth of a second
    deployment.environment["FRAMELOOM_RESULTS_PURGE_AFTER_SECONDS"] = "0"
    async with Watcher.of(deployment) as watcher:
        await deployment.start("results")
        told = await watcher.has(job_id, "job.deleted")
        assert told["data"]["cause"] == "retention"
    assert await deployment.status_of(f"/api/v1/jobs/{job_id}") == 404
    await all_gone(deployment, job_id)
