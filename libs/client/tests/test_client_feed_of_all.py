"""The feed of all jobs: without an end, taken up where it broke, nothing twice."""

from __future__ import annotations

import asyncio

import pytest
from client_gateway_more import told

from frameloom.client import AsyncClient, AuthenticationError, UnreachableError
from frameloom.client.events import FollowPolicy

QUICK = FollowPolicy(first_delay_seconds=0.01, longest_delay_seconds=0.02, patience_seconds=3.0)


async def _take(client: AsyncClient, count: int, **options):
    items = []
    feed = client.events(policy=QUICK, **options)
    async with asyncio.timeout(10):
        async for item in feed:
            items.append((item.job_id, item.seq))
            if len(items) == count:
                break
    await feed.aclose()
    return items


async def test_a_break_loses_and_repeats_nothing(gateway):
    gateway.feed = [
        [": hello\n\n", told("a", 1), told("b", 1), told("a", 2), None],
        [told("b", 1), told("a", 2), told("b", 2), None],
        [told("c", 1)],
    ]
    async with AsyncClient(gateway.url) as client:
        items = await _take(client, 5)
    assert items == [("a", 1), ("b", 1), ("a", 2), ("b", 2), ("c", 1)]
    asked = [headers.get("Last-Event-ID") for _, path, headers in gateway.seen if "stream" in path]
    assert asked == [None, "a:2", "b:2"]


async def test_it_goes_on_after_an_event(gateway):
    gateway.feed = [[told("a", 3), told("a", 4)]]
    async with AsyncClient(gateway.url) as client:
        assert await _take(client, 1, last_event_id="a:3") == [("a", 4)]
    assert gateway.seen[-1][2]["Last-Event-ID"] == "a:3"


async def test_a_server_that_never_was_there_is_not_waited_for():
    async with AsyncClient("http://127.0.0.1:9") as client:
        with pytest.raises(UnreachableError):
            await anext(client.events(policy=QUICK))


async def test_a_key_that_is_refused_ends_it(gateway):
    gateway.faults.answers = [("GET", 401, {}, {"detail": "Invalid or expired token"})]
    async with AsyncClient(gateway.url) as client:
        with pytest.raises(AuthenticationError):
            await anext(client.events(policy=QUICK))


async def test_what_is_no_stream_is_said_so(gateway):
    async with AsyncClient(gateway.url) as client:
        gateway.faults.answers = [("GET", 200, {}, {})]
        with pytest.raises(Exception, match="no event stream"):
            await anext(client.events(policy=QUICK))
