"""Which requests are sent again: safe ones where it may help, a submission only where none was taken."""

from __future__ import annotations

import asyncio
import socket
from datetime import UTC, datetime

import httpx
import pytest
from client_gateway import Gateway

from frameloom.client import AsyncClient, RateLimitedError, RetryPolicy, ServerError, UnavailableError
from frameloom.client.errors import UnreachableError
from frameloom.client.retries import may_answer_better, may_arrive_better, retry_after

QUICK = RetryPolicy(first_delay_seconds=0.01)
BUSY = {"error": {"code": "BUSY", "message": "Too many uploads"}}
AWAY = {"error": {"code": "DATABASE_UNAVAILABLE", "message": "The database is away"}}


def _client(gateway: Gateway) -> AsyncClient:
    return AsyncClient(gateway.url, retries=QUICK)


@pytest.mark.parametrize("status", [429, 502, 503, 504, 0])
async def test_a_safe_request_is_sent_again(gateway, status):
    gateway.faults.answers = [("GET", status, {}, AWAY)] * 2
    async with _client(gateway) as client:
        assert (await client.jobs_page()).total == 0
    assert len(gateway.seen) == 3


async def test_it_is_given_up_in_the_end_with_the_servers_words(gateway):
    gateway.faults.answers = [("GET", 503, {"Retry-After": "0"}, AWAY)] * 9
    async with _client(gateway) as client:
        with pytest.raises(UnavailableError, match="The database is away") as caught:
            await client.jobs_page()
    assert len(gateway.seen) == QUICK.tries
    assert caught.value.retry_after_seconds == 0
    assert repr(caught.value) == (
        "UnavailableError('The database is away', status=503, code='DATABASE_UNAVAILABLE')"
    )


@pytest.mark.parametrize("status", [400, 404, 500])
async def test_what_would_be_the_same_again_is_not_asked_again(gateway, status):
    gateway.faults.answers = [("GET", status, {}, {"detail": "no"})]
    async with _client(gateway) as client:
        with pytest.raises(Exception, match="no"):
            await client.jobs_page()
    assert len(gateway.seen) == 1


@pytest.mark.parametrize(("status", "body"), [(429, {"detail": "slow down"}), (503, BUSY)])
async def test_a_submission_that_was_not_taken_is_sent_again(gateway, video, status, body):
    gateway.faults.answers = [("POST", status, {"Retry-After": "0"}, body)] * 2
    async with _client(gateway) as client:
        job = await client.submit(video)
    assert (job.id, gateway.uploads) == ("job-1", [(100_000, "clip.mp4")])


@pytest.mark.parametrize("status", [500, 502, 503, 504, 0])
async def test_a_submission_that_may_have_been_taken_is_never_sent_again(gateway, video, status):
    gateway.faults.answers = [("POST", status, {}, AWAY)]
    async with _client(gateway) as client:
        with pytest.raises((ServerError, UnreachableError)):
            await client.submit(video)
    assert [method for method, *_ in gateway.seen] == ["POST"]
    assert gateway.uploads == []


async def test_making_a_key_is_never_repeated_either(gateway):
    gateway.faults.answers = [("POST", 503, {}, AWAY)]
    async with _client(gateway) as client:
        with pytest.raises(UnavailableError):
            await client.keys.create("mine")
    assert len(gateway.seen) == 1


async def test_a_server_that_asks_for_a_long_pause_is_not_waited_for(gateway):
    gateway.faults.answers = [("GET", 429, {"Retry-After": "3600"}, {"detail": "Quota used up"})]
    async with _client(gateway) as client:
        with pytest.raises(RateLimitedError, match="Quota used up") as caught:
            await client.jobs_page()
    assert caught.value.retry_after_seconds == 3600


async def test_a_server_that_is_just_starting_is_found(tmp_path, video):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    late = Gateway()
    async with AsyncClient(f"127.0.0.1:{port}", retries=RetryPolicy(tries=8)) as client:
        asking = asyncio.create_task(client.submit(video))
        await asyncio.sleep(0)
        await asyncio.to_thread(late.start, port)
        job = await asking
    await asyncio.to_thread(late.stop)
    assert job.id == "job-1"


async def test_a_stream_is_opened_again_until_it_begins(gateway):
    gateway.faults.answers = [("GET", 429, {"Retry-After": "0"}, {}), ("GET", 0, {}, {})]
    async with _client(gateway) as client, client.stream("/api/v1/health") as response:
        assert (await response.aread()).startswith(b"{")
    assert len(gateway.seen) == 3


def test_pauses_grow_and_end():
    policy = RetryPolicy(tries=9, first_delay_seconds=1, longest_delay_seconds=4)
    assert [policy.delay(n, chance=lambda: 1.0) for n in range(1, 10)] == [1, 2, 4, 4, 4, 4, 4, 4, None]
    assert policy.delay(1, chance=lambda: 0.0) == 0.5
    assert RetryPolicy(tries=1).delay(1) is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("3", 3.0),
        ("Mon, 23 Nov 2026 10:00:05 GMT", 5.0),
        ("Mon, 23 Nov 2026 09:00:00 GMT", 0.0),
        ("soon", None),
        ("", None),
        ("-1", None),
    ],
)
def test_both_forms_of_retry_after_are_read(value, seconds):
    response = httpx.Response(503, headers={"Retry-After": value} if value else {})
    assert retry_after(response, datetime(2026, 11, 23, 10, tzinfo=UTC)) == seconds


def test_a_server_that_takes_too_long_is_not_asked_again():
    assert not may_arrive_better(httpx.ReadTimeout("slow"), once=False)
    assert not may_arrive_better(httpx.ReadError("gone"), once=True)
    assert not may_answer_better(httpx.Response(503, text="not JSON"), once=True)
