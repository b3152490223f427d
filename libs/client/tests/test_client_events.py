"""Following a job: resumed after breaks, without a stream, and through silence."""

from __future__ import annotations

import asyncio
import json
from collections import Counter

import httpx_sse
import pytest

from frameloom.client.api import AsyncClient
from frameloom.client.errors import RefusedError, ServerError, UnreachableError
from frameloom.client.events import FollowPolicy, follow, parse
from frameloom.client.models import JobEvent, TaskProgress

QUICK = FollowPolicy(
    reconnects=2,
    patience_seconds=1.0,
    silence_seconds=0.2,
    first_delay_seconds=0.01,
    longest_delay_seconds=0.05,
    poll_seconds=0.02,
)
PIPELINES = ["scene_detection", "face_analysis"]


async def _follow(gateway, job_id, **options):
    async with AsyncClient(gateway.url) as client:
        return [item async for item in follow(client, job_id, policy=QUICK, **options)]


async def test_all_events_come_in_order_up_to_the_end(gateway):
    job = gateway.add_job("a.mp4", PIPELINES)
    items = await _follow(gateway, job["id"])
    logged = [item for item in items if isinstance(item, JobEvent)]
    assert [item.seq for item in logged] == list(range(1, len(logged) + 1))
    assert logged[-1].ends_job
    assert sum(isinstance(item, TaskProgress) for item in items) == 6


async def test_a_broken_stream_is_resumed_after_the_last_event(gateway):
    job = gateway.add_job("a.mp4", PIPELINES)
    gateway.faults.break_stream_after = [1, 3, 5]
    items = await _follow(gateway, job["id"])
    seqs = Counter(item.seq for item in items if isinstance(item, JobEvent))
    assert set(seqs.values()) == {1}
    assert sorted(seqs) == list(range(1, 8))
    sent = [headers.get("Last-Event-ID") for _, path, headers in gateway.seen if "/events/stream" in path]
    assert sent[:2] == [None, "job-1:1"]
    assert len(sent) == 4


async def test_a_watcher_can_begin_in_the_middle(gateway):
    job = gateway.add_job("a.mp4", PIPELINES)
    items = await _follow(gateway, job["id"], last_event_id="job-1:5")
    assert [item.seq for item in items if isinstance(item, JobEvent)] == [6, 7]


async def test_without_a_stream_the_job_is_asked_for(gateway):
    job = gateway.add_job("a.mp4", PIPELINES)
    gateway.faults.no_stream = True
    gateway.jobs[job["id"]]["status"] = "running"
    async with AsyncClient(gateway.url) as client:
        feed = follow(client, job["id"], policy=QUICK)
        first = await anext(feed)
        gateway.jobs[job["id"]] |= {"status": "failed", "error_message": "why"}
        rest = [item async for item in feed]
    assert (first.type, first.seq) == ("job.started", None)
    assert [(item.type, item.data["error_message"]) for item in rest] == [("job.failed", "why")]


async def test_streams_that_only_break_are_given_up_for_asking(gateway):
    job = gateway.add_job("a.mp4", PIPELINES)
    gateway.faults.break_stream_after = [0] * 10
    gateway.jobs[job["id"]]["status"] = "running"
    feed_over = asyncio.Event()

    async def finish() -> None:
        await feed_over.wait()
        gateway.jobs[job["id"]]["status"] = "completed"

    ender = asyncio.create_task(finish())
    items = []
    async with AsyncClient(gateway.url) as client:
        async for item in follow(client, job["id"], policy=QUICK):
            items.append(item.type)
            feed_over.set()
    await ender
    assert items == ["job.started", "job.completed"]
    assert len(gateway.faults.break_stream_after) == 10 - 1 - QUICK.reconnects


async def test_a_silent_stream_is_checked_by_asking(gateway):
    job = gateway.add_job("a.mp4", PIPELINES)
    gateway.faults.silent_stream = True
    items = await _follow(gateway, job["id"])
    assert [item.type for item in items] == ["job.completed"]


async def test_a_server_that_restarts_is_waited_for(gateway):
    job = gateway.add_job("a.mp4", PIPELINES)
    gateway.faults.break_stream_after = [2]
    gateway.faults.job_answers = [503, 502, 500]
    items = await _follow(gateway, job["id"])
    assert items[-1].type == "job.completed"


async def test_patience_ends(gateway):
    job = gateway.add_job("a.mp4", PIPELINES)
    gateway.faults.break_stream_after = [1, 0, 0, 0]
    gateway.faults.job_answers = [503] * 1000
    with pytest.raises(ServerError):
        await _follow(gateway, job["id"])


async def test_a_server_that_is_gone_is_unreachable():
    async with AsyncClient("http://127.0.0.1:9") as client:
        with pytest.raises(UnreachableError):
            await anext(follow(client, "job", policy=QUICK))


async def test_an_unknown_job_is_refused_at_once(gateway):
    with pytest.raises(RefusedError, match="Job nobody not found"):
        await _follow(gateway, "nobody")


async def test_leaving_early_closes_the_stream(gateway):
    job = gateway.add_job("a.mp4", PIPELINES)
    async with AsyncClient(gateway.url) as client:
        feed = follow(client, job["id"], policy=QUICK)
        await anext(feed)
        await feed.aclose()
        assert (await client.job(job["id"])).id == job["id"]


def test_progress_is_read_with_its_facts_in_data_or_beside_it():
    progress = {"stage": "x", "fraction": 0.5}
    facts = {"pipeline": "a", "epoch": 2}
    head = {"type": "task.progress", "job_id": "j"}
    for document in (
        {**head, "data": {**facts, **progress}},
        {**head, "data": {**facts, "progress": progress}},
        {**head, **facts, "progress": progress},
    ):
        event = httpx_sse.ServerSentEvent(event="task.progress", data=json.dumps(document))
        item = parse(event)
        assert isinstance(item, TaskProgress)
        assert (item.pipeline, item.epoch, item.progress.fraction) == ("a", 2, 0.5)


@pytest.mark.parametrize(
    "data",
    ["", "{", "[]", "{}", '{"type": "task.progress"}', '{"type": "task.progress", "data": []}', "null"],
)
def test_what_is_no_event_is_passed_over(data):
    assert parse(httpx_sse.ServerSentEvent(event="heartbeat", data=data)) is None
