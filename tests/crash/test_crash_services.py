"""Services are killed in the middle of their work: no accepted job is lost, one result becomes visible."""

from __future__ import annotations

import asyncio
from pathlib import Path

import psutil
import pytest

from frameloom.common.documents import FailureCategory, JobStatus, Outcome, TaskState
from support import grounds
from support.deployment import SERVICES, Deployment
from support.gate import Gate
from support.media import clip


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path)


@pytest.fixture
def short(tmp_path: Path) -> Path:
    return clip(tmp_path / "short.mp4", seconds=0.4)


async def one_result(deployment: Deployment, job_id: str) -> None:
    """Exactly one result is visible, whole, and its job tells a gap-free story."""
    job, tasks = await deployment.documents(job_id)
    assert job.status is JobStatus.COMPLETED
    assert [event.seq for event in job.events] == list(range(1, job.seq + 1))
    assert [event.type for event in job.events].count("job.completed") == 1
    for task in tasks:
        assert task.state is TaskState.COMPLETED
        assert task.result is not None
        assert task.result.epoch == task.epoch
        assert [a.outcome for a in task.attempts].count(Outcome.COMPLETED) == 1
        async with asyncio.timeout(30):
            while await deployment.keys(f"chunks/{job_id}/"):
                await asyncio.sleep(0.1)
        kept = await deployment.keys(f"results/{job_id}/{task.pipeline}/")
        assert kept == sorted([task.result.manifest_key, *(a.key for a in task.result.artefacts)])


async def test_a_killed_worker_costs_one_attempt(deployment: Deployment, gate: Gate, short: Path) -> None:
    await deployment.start(*SERVICES)
    await deployment.ready()
    job_id = await deployment.submit(short, "gated", gate.config)
    await gate.somebody_waits()
    (child,) = gate.waiting()
    await deployment.kill("worker")
    await deployment.start("worker-2")
    await gate.somebody_waits(besides=1)
    assert not psutil.pid_exists(child), "the killed worker's child computes on"
    gate.open()
    assert (await deployment.ended(job_id))["status"] == "completed"
    _, (task,) = await deployment.documents(job_id)
    told = [(a.number, a.outcome, a.failure.category if a.failure else None) for a in task.attempts]
    assert told == [
        (1, Outcome.FAILED, FailureCategory.WORKER_LOST),
        (2, Outcome.COMPLETED, None),
    ]
    await one_result(deployment, job_id)
    results = await deployment.get(f"/api/v1/jobs/{job_id}/results")
    attempts = results["pipeline_results"]["gated"]["attempts"]
    assert [(a["number"], a["category"]) for a in attempts] == [(1, "worker_lost"), (2, None)]


async def test_a_frozen_worker_that_wakes_up_changes_nothing(
    deployment: Deployment, gate: Gate, short: Path
) -> None:
    await deployment.start(*SERVICES)
    await deployment.ready()
    job_id = await deployment.submit(short, "gated", gate.config)
    await gate.somebody_waits()
    frozen = psutil.Process(deployment.pid("worker"))
    frozen.suspend()
    try:
        await deployment.start("worker-2")
        await gate.somebody_waits(besides=1)
        gate.open()
        assert (await deployment.ended(job_id))["status"] == "completed"
    finally:
        frozen.resume()
    async with asyncio.timeout(30):
        while "not ours any more" not in (log := deployment.log_of("worker")) and '"lost"' not in log:
            await asyncio.sleep(0.1)
    await one_result(deployment, job_id)


@pytest.mark.parametrize("victim", ["scheduler", "results", "gateway"])
async def test_a_killed_service_loses_nothing(
    deployment: Deployment, gate: Gate, short: Path, victim: str
) -> None:
    await deployment.start(*SERVICES)
    await deployment.ready()
    running = await deployment.submit(short, "gated", gate.config)
    queued = await deployment.submit(short, "gated,scene_detection", gate.config)
    await gate.somebody_waits()
    await deployment.kill(victim)
    gate.open()
    await deployment.start(victim)
    await deployment.ready()
    for job_id in (running, queued):
        assert (await deployment.ended(job_id))["status"] == "completed"
        await one_result(deployment, job_id)


async def test_all_services_killed_at_once_lose_nothing(
    deployment: Deployment, gate: Gate, short: Path
) -> None:
    await deployment.start(*SERVICES)
    await deployment.ready()
    jobs = [await deployment.submit(short, "gated,scene_detection", gate.config) for _ in range(3)]
    await gate.somebody_waits()
    await deployment.kill(*SERVICES)
    gate.open()
    await deployment.start(*SERVICES)
    await deployment.ready()
    for job_id in jobs:
        assert (await deployment.ended(job_id, 90))["status"] == "completed"
        await one_result(deployment, job_id)


@pytest.mark.parametrize("name", grounds.NAMES)
async def test_the_whole_stack_killed_at_once_loses_nothing(
    tmp_path: Path, gate: Gate, short: Path, name: str
) -> None:
    """Services and all three servers, in the middle of the work; the same folders afterwards."""
    if (reason := grounds.why_not(name)) is not None:
        pytest.skip(reason)
    async with grounds.opened(name, tmp_path / "servers") as ground:
        deployment = Deployment(ground, tmp_path)
        try:
            await deployment.start(*SERVICES)
            await deployment.ready()
            jobs = [await deployment.submit(short, "gated,scene_detection", gate.config) for _ in range(3)]
            await gate.somebody_waits()
            await deployment.kill(*SERVICES)
            for server in (ground.broker, ground.objects, ground.documents):
                await server.kill()
            gate.open()
            for server in (ground.documents, ground.objects, ground.broker):
                await server.start()
            await deployment.start(*SERVICES)
            await deployment.ready()
            for job_id in jobs:
                assert (await deployment.ended(job_id, 90))["status"] == "completed"
                await one_result(deployment, job_id)
        finally:
            await deployment.close()


async def test_a_lost_broker_is_waited_for(tmp_path: Path, gate: Gate, short: Path) -> None:
    """The broker goes in the middle of the work and comes back with its messages; no service ends."""
    async with grounds.opened("embedded", tmp_path / "servers", "s3") as ground:
        deployment = Deployment(ground, tmp_path)
        try:
            await deployment.start(*SERVICES)
            await deployment.ready()
            job_id = await deployment.submit(short, "gated", gate.config)
            await gate.somebody_waits()
            await ground.broker.kill()
            gate.open()
            await ground.broker.start()
            assert (await deployment.ended(job_id, 90))["status"] == "completed"
            await one_result(deployment, job_id)
        finally:
            await deployment.close()


async def test_a_task_longer_than_the_poll_interval_runs_once(
    deployment: Deployment, gate: Gate, short: Path
) -> None:
    """While it runs, another worker joins the group and leaves it again: two rebalances."""
    interval = 7.0
    deployment.environment["FRAMELOOM_KAFKA_MAX_POLL_INTERVAL_SECONDS"] = str(interval)
    await deployment.start(*SERVICES)
    await deployment.ready()
    job_id = await deployment.submit(short, "gated", gate.config)
    await gate.somebody_waits()
    began = asyncio.get_running_loop().time()
    await deployment.start("worker-2")
    async with asyncio.timeout(60):
        while '"taking tasks"' not in deployment.log_of("worker-2"):
            await asyncio.sleep(0.05)
    assert await deployment.stop("worker-2") == [0]
    await asyncio.sleep(max(0.0, began + interval + 2 - asyncio.get_running_loop().time()))
    gate.open()
    assert (await deployment.ended(job_id))["status"] == "completed"
    _, (task,) = await deployment.documents(job_id)
    assert [(a.number, a.epoch, a.outcome) for a in task.attempts] == [(1, 1, Outcome.COMPLETED)]
    assert len(gate.waiting()) == 1
    await one_result(deployment, job_id)


async def test_a_worker_asked_to_end_gives_its_task_back(
    deployment: Deployment, gate: Gate, short: Path
) -> None:
    deployment.environment["FRAMELOOM_WORKER_GRACE_SECONDS"] = "0"
    await deployment.start(*SERVICES)
    await deployment.ready()
    job_id = await deployment.submit(short, "gated", gate.config)
    await gate.somebody_waits()
    assert await deployment.stop("worker") == [0]
    await deployment.start("worker-2")
    await gate.somebody_waits(besides=1)
    gate.open()
    assert (await deployment.ended(job_id))["status"] == "completed"
    _, (task,) = await deployment.documents(job_id)
    assert [(a.number, a.outcome) for a in task.attempts] == [(1, Outcome.RELEASED), (1, Outcome.COMPLETED)]


async def test_a_crashing_pipeline_is_tried_three_times_and_told(
    deployment: Deployment, gate: Gate, short: Path
) -> None:
    await deployment.start(*SERVICES)
    await deployment.ready()
    worker = deployment.pid("worker")
    job_id = await deployment.submit(short, "crashing")
    job = await deployment.ended(job_id)
    assert job["status"] == "failed"
    assert "SIGSEGV" in job["error_message"]
    _, (task,) = await deployment.documents(job_id)
    assert [a.failure.category for a in task.attempts if a.failure] == [FailureCategory.WORKER_CRASH] * 3
    assert psutil.pid_exists(worker), "the pipeline's crash must not take the worker with it"
    gate.open()
    after = await deployment.submit(short, "gated", gate.config)
    assert (await deployment.ended(after))["status"] == "completed"


async def test_cancel_ends_the_work_and_stays(deployment: Deployment, gate: Gate, short: Path) -> None:
    await deployment.start(*SERVICES)
    await deployment.ready()
    job_id = await deployment.submit(short, "gated", gate.config)
    await gate.somebody_waits()
    (child,) = gate.waiting()
    assert (await deployment.cancel(job_id))["status"] == "cancelled"
    async with asyncio.timeout(30):
        while psutil.pid_exists(child):
            await asyncio.sleep(0.05)
        while not (await deployment.documents(job_id))[1][0].state.terminal:
            await asyncio.sleep(0.05)
    gate.open()
    job, (task,) = await deployment.documents(job_id)
    assert (job.status, task.state, task.result) == (JobStatus.CANCELLED, TaskState.CANCELLED, None)
    async with asyncio.timeout(30):
        while await deployment.keys(f"chunks/{job_id}/"):
            await asyncio.sleep(0.1)
    assert await deployment.keys(f"results/{job_id}/") == []
    assert psutil.pid_exists(deployment.pid("worker"))
