"""Resumable uploads: they go on where they broke, and become a job once."""

from __future__ import annotations

import asyncio
import hashlib
import os

import pytest

from frameloom.client import AsyncClient, RefusedError, RetryPolicy, UnreachableError, UsageError
from frameloom.client import uploads as ways
from frameloom.client.uploads import tus
from frameloom.client.uploads.tus import Patience

QUICK = Patience(tries=4, first_delay_seconds=0.01, longest_delay_seconds=0.05, examination_seconds=5)


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tus, "Patience", lambda: QUICK)


@pytest.fixture
def random(tmp_path):
    path = tmp_path / "random.mp4"
    path.write_bytes(os.urandom(900_000))
    return path


async def _sent(gateway, source, **options):
    async with AsyncClient(gateway.url, retries=RetryPolicy(first_delay_seconds=0.01)) as client:
        return await client.submit(source, upload="tus", **options)


async def test_it_becomes_a_job_with_what_was_asked_for(gateway, random):
    job = await _sent(gateway, random, pipelines=["face_analysis"], config={"face_analysis": {"a": 1}})
    (upload,) = gateway.open.values()
    assert job.selected_pipelines == ("face_analysis",)
    assert upload["sha256"].digest() == hashlib.sha256(random.read_bytes()).digest()
    assert upload["facts"]["config"] == '{"face_analysis": {"a": 1}}'
    assert gateway.given_up == []


async def test_breaks_lose_nothing_and_make_no_second_job(gateway, random):
    counts: list[int] = []
    gateway.breaks = [300_000, 1, 200_000]
    gateway.lost_answers = 1
    gateway.examining = 2
    await _sent(gateway, random, on_bytes=counts.append)
    (upload,) = gateway.open.values()
    assert upload["sha256"].digest() == hashlib.sha256(random.read_bytes()).digest()
    assert len(gateway.jobs) == 1
    assert counts[-1] == 900_000
    offsets = [headers["Upload-Offset"] for method, _, headers in gateway.seen if method == "PATCH"]
    assert offsets == ["0", "300000", "300001", "500001"]


async def test_an_upload_that_another_request_holds_is_waited_for(gateway, random):
    gateway.locked = 2
    await _sent(gateway, random)
    assert len(gateway.jobs) == 1


async def test_one_that_gets_no_further_is_given_up(gateway, random):
    gateway.breaks = [0] * 20
    with pytest.raises(UnreachableError):
        await _sent(gateway, random)
    assert gateway.given_up == ["up-1"]
    assert len([method for method, *_ in gateway.seen if method == "PATCH"]) == QUICK.tries


async def test_each_bit_of_progress_begins_the_count_anew(gateway, random):
    gateway.breaks = [1] * 12
    await _sent(gateway, random)
    assert len(gateway.jobs) == 1


async def test_a_refusal_at_the_end_is_told_with_its_reason(gateway, random):
    error = {"code": "UNSUPPORTED_MEDIA", "message": "No media file", "hint": "Send a video"}
    gateway.refuse_at_the_end = {"error": error}
    with pytest.raises(RefusedError, match="No media file") as caught:
        await _sent(gateway, random)
    assert (caught.value.code, caught.value.hint) == ("UNSUPPORTED_MEDIA", "Send a video")


async def test_a_refusal_whose_answer_was_lost_is_told_all_the_same(gateway, random):
    gateway.refuse_at_the_end = {"error": {"code": "UNSUPPORTED_MEDIA", "message": "No media file"}}
    gateway.lost_answers = 1
    with pytest.raises(RefusedError, match="No media file"):
        await _sent(gateway, random)
    assert "GET" in [method for method, path, _ in gateway.seen if "/uploads/" in path]


async def test_what_is_broken_off_here_is_removed_there(gateway, random):
    started = asyncio.Event()
    async with AsyncClient(gateway.url) as client:
        sending = asyncio.ensure_future(client.submit(random, upload="tus", on_bytes=lambda _: started.set()))
        await started.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
    assert gateway.given_up == ["up-1"]


async def test_a_pipe_can_not_go_on(gateway):
    reading, writing = os.pipe()
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe, pytest.raises(UsageError, match="A pipe can not be taken up"):
        await _sent(gateway, pipe)


async def test_large_files_go_this_way_by_themselves(gateway, random, monkeypatch):
    monkeypatch.setattr(ways, "LARGE_BYTES", 500_000)
    async with AsyncClient(gateway.url) as client:
        await client.submit(random)
        await client.submit(random, config={"a": "x" * 8000})
        await client.submit(b"small")
        gateway.speaks_tus = False
        await client.submit(random)
    asked = [path.rpartition("/api/v1/")[2] for method, path, _ in gateway.seen if method == "POST"]
    assert asked == ["uploads", "jobs/", "jobs/", "uploads", "jobs/"]
    assert len(gateway.jobs) == 4


async def test_a_refusal_at_the_beginning_is_no_reason_for_another_way(gateway, random, monkeypatch):
    monkeypatch.setattr(ways, "LARGE_BYTES", 500_000)
    body = {"error": {"code": "PIPELINE_NOT_FOUND", "message": "No pipeline x"}}
    gateway.faults.answers = [("POST", 400, {}, body)]
    async with AsyncClient(gateway.url) as client:
        with pytest.raises(RefusedError, match="No pipeline x"):
            await client.submit(random, pipelines=["x"])
    assert len(gateway.seen) == 1
