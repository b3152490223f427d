"""Services are killed in the middle of cancelling and deleting: both go on, and nothing comes back."""

from __future__ import annotations

import asyncio
from pathlib import Path

import psutil
import pytest

from frameloom.common.documents import JobStatus, TaskState
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


async def two_at_work(deployment: Deployment, gate: Gate, short: Path) -> tuple[str, str]:
    """Two jobs that run side by side and do not end by themselves; what they have stored is in the bucket."""
    deployment.environment["FRAMELOOM_WORKER_SLOTS"] = "2"
    deployment.environment["FRAMELOOM_RESULTS_PURGE_AFTER_SECONDS"] = "0"
    await deployment.start(*SERVICES)
    await deployment.ready()
    one, other = [await deployment.submit(short, "gated", gate.config) for _ in range(2)]
    await gate.somebody_waits(besides=1)
    return one, other


async def cancelled_for_good(deployment: Deployment, job_id: str) -> None:
    """The job stays cancelled, none of its tasks runs, no chunk is left."""
    async with asyncio.timeout(WAIT):
        while True:
            job, tasks = await deployment.documents(job_id)
            if job.tidied and all(task.state is TaskState.CANCELLED for task in tasks):
                break
            await asyncio.sleep(0.1)
    assert (job.status, [task.result for task in tasks]) == (JobStatus.CANCELLED, [None])
    assert [event.seq for event in job.events] == list(range(1, job.seq + 1))
    assert job.events[-1].type == "job.cancelled"
    assert await deployment.keys_of(job_id) == [job.media.key]


async def deleted_for_good(deployment: Deployment, job_id: str) -> None:
    """Nothing is left of the job, in the bucket or in the database, and no route finds it."""
    async with asyncio.timeout(WAIT):
        while (await deployment.left_of(job_id)) != (None, []):
            assert await deployment.status_of(f"/api/v1/jobs/{job_id}") == 404
            await asyncio.sleep(0.1)
    assert await deployment.keys_of(job_id) == []
    assert await deployment.delete(job_id) == 404


@pytest.mark.parametrize("victim", ["scheduler", "results", "worker"])
async def test_a_deletion_goes_on_after_a_crash(
    deployment: Deployment, gate: Gate, short: Path, victim: str
) -> None:
    """And a cancel: both are asked for, and the next moment somebody dies who has a part in them."""
    ended, deleted = await two_at_work(deployment, gate, short)
    children = gate.waiting()
    await deployment.cancel(ended)
    assert await deployment.delete(deleted) == 204
    await deployment.kill(victim)
    await deployment.start(victim)
    await deployment.ready()
    for child in children:
        await gone(child)
    gate.open()
    await cancelled_for_good(deployment, ended)
    await deleted_for_good(deployment, deleted)
    assert len(gate.waiting()) == 2, "neither was run again"


async def test_what_only_the_documents_know_is_done(deployment: Deployment, gate: Gate, short: Path) -> None:
    """Nobody was there to hear of it, and who had written it died before it could tell."""
    ended, deleted = await two_at_work(deployment, gate, short)
    children = gate.waiting()
    await deployment.kill("scheduler")
    await deployment.cancel(ended)
    assert await deployment.delete(deleted) == 204
    await deployment.kill("gateway", "results")
    await deployment.start("gateway", "results", "scheduler")
    await deployment.ready()
    for child in children:
        await gone(child)
    await cancelled_for_good(deployment, ended)
    await deleted_for_good(deployment, deleted)


async def test_a_frozen_worker_brings_nothing_back(deployment: Deployment, gate: Gate, short: Path) -> None:
    """It wakes up when its jobs have long been ended by others, and its children have results to tell."""
    ended, deleted = await two_at_work(deployment, gate, short)
    frozen = psutil.Process(deployment.pid("worker"))
    frozen.suspend()
    try:
        await deployment.cancel(ended)
        assert await deployment.delete(deleted) == 204
        gate.open()
        await cancelled_for_good(deployment, ended)
        await deleted_for_good(deployment, deleted)
    finally:
        frozen.resume()
    async with asyncio.timeout(WAIT):
        while "not ours any more" not in (log := deployment.log_of("worker")) and '"lost"' not in log:
            await asyncio.sleep(0.1)
    again = await deployment.submit(short, "gated", gate.config)
    assert (await deployment.ended(again))["status"] == "completed"
    # The chunks and ends of this job came after those of the others, if these have sent any.
    await cancelled_for_good(deployment, ended)
    await deleted_for_good(deployment, deleted)
