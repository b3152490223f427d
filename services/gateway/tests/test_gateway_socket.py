"""The live feed over a WebSocket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from gateway_kit import KEY, Gateway, job, message, soon
from structlog.testing import capture_logs

from frameloom.common.documents import ApiKey, JobDocument
from frameloom.common.errors import DatabaseUnavailableError
from frameloom.gateway.http import socket as socket_module
from frameloom.gateway.services.bootstrap import drawn
from frameloom.gateway.services.caller import Caller, Scope
from frameloom.gateway.settings import GatewaySettings

PATH = "/api/v1/events/ws"
NO_KEY: dict[str, str] = {}


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with Gateway().running() as made:
        for name in ("a", "b"):
            await made.jobs.insert(job(made.clock, name, events=2))
        await made.jobs.insert(job(made.clock, "theirs", tenant="another"))
        yield made


class Wire:
    """A client's end of a WebSocket."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def next(self) -> dict[str, Any]:
        """The next message."""
        message = await self.socket.receive(timeout=5)
        assert message.type is aiohttp.WSMsgType.TEXT, message
        return dict(json.loads(message.data))

    async def events(self, count: int) -> list[str | None]:
        """The ids of so many further messages, or their names where they have none."""
        messages = [await self.next() for _ in range(count)]
        return [one["id"] or one["event"] for one in messages]

    async def say(self, **what: Any) -> None:
        """Sends a message."""
        await self.socket.send_json(what)

    async def asked(self, **what: Any) -> dict[str, Any]:
        """The answer to a message."""
        await self.say(**what)
        return await self.next()

    async def refused(self, sent: str | bytes) -> dict[str, Any]:
        """The error that a message is answered with."""
        await (self.socket.send_str(sent) if isinstance(sent, str) else self.socket.send_bytes(sent))
        told = await self.next()
        assert told["event"] == "error"
        return dict(told["data"])

    async def closed(self) -> tuple[int | None, str]:
        """How the other side ends it, after whatever it still has to say."""
        while (message := await self.socket.receive(timeout=5)).type is aiohttp.WSMsgType.TEXT:
            pass
        assert message.type is aiohttp.WSMsgType.CLOSE, message
        return self.socket.close_code, message.extra or ""


@asynccontextmanager
async def opened(gateway: Gateway, query: str = "", **headers: str) -> AsyncIterator[Wire]:
    sent = headers or {"Authorization": f"Bearer {KEY}"}
    async with (
        gateway.stranger() as http,
        http.ws_connect(PATH + query, headers=sent, autoclose=False) as socket,
    ):
        yield Wire(socket)


class TestFeed:
    async def test_it_is_the_feed_of_the_stream(self, gateway: Gateway) -> None:
        async with opened(gateway, "?job_id=a&format=events") as wire:
            assert (await wire.next())["event"] == "connected"
            assert await wire.next() == {
                "event": "subscribed",
                "id": None,
                "data": {"type": "subscribed", "job_id": "a"},
            }
            first = await wire.next()
            assert (first["event"], first["id"], first["data"]["seq"]) == ("job.submitted", "a:1", 1)
            assert await wire.events(1) == ["a:2"]
            await gateway.hub.handle(message("a", 3))
            assert await wire.events(1) == ["a:3"]

    async def test_unless_asked_otherwise_in_the_viewers_words_and_of_all_jobs(
        self, gateway: Gateway
    ) -> None:
        async with opened(gateway) as wire:
            assert await wire.events(2) == ["connected", "subscribed"]
            await gateway.hub.handle(message("new", 1, "job.submitted"))
            told = await wire.next()
            assert (told["event"], told["id"], told["data"]["job_id"]) == ("job.update", "new:1", "new")

    async def test_a_client_goes_on_after_its_last_event(self, gateway: Gateway) -> None:
        async with opened(gateway, "?job_id=a&last_event_id=a:1") as wire:
            assert await wire.events(3) == ["connected", "subscribed", "a:2"]

    async def test_with_the_job_it_may_end(self, gateway: Gateway) -> None:
        async with opened(gateway, "?job_id=a&close_on_end=true&format=events") as wire:
            assert await wire.events(4) == ["connected", "subscribed", "a:1", "a:2"]
            await gateway.hub.handle(message("a", 3, "job.completed"))
            assert await wire.events(2) == ["a:3", "unsubscribed"]
            assert await wire.closed() == (1000, "The job is over")

    async def test_silence_is_filled_once_for_all_subscriptions(self) -> None:
        async with Gateway(GatewaySettings(heartbeat_seconds=0.05)).running() as gateway:
            for name in ("a", "b"):
                await gateway.jobs.insert(job(gateway.clock, name))
            async with opened(gateway, "?subscribe=false") as wire:
                await wire.say(type="subscribe", job_id="a")
                await wire.say(type="subscribe", job_id="b")
                loop = asyncio.get_running_loop()
                times: list[float] = []
                while len(times) < 4:
                    if (await wire.next())["event"] == "heartbeat":
                        times.append(loop.time())
                assert times[-1] - times[0] > 3 * 0.04


class TestSubscriptions:
    async def test_they_come_and_go(self, gateway: Gateway) -> None:
        async with opened(gateway, "?subscribe=false&format=events") as wire:
            assert await wire.events(1) == ["connected"]
            assert (await wire.asked(type="subscribe", job_id="a", after="a:2"))["event"] == "subscribed"
            assert (await wire.asked(type="subscribe", job_id="b", after="b:1"))["data"]["job_id"] == "b"
            assert await wire.events(1) == ["b:2"]
            await gateway.hub.handle(message("a", 3))
            await gateway.hub.handle(message("b", 3))
            assert sorted(str(one) for one in await wire.events(2)) == ["a:3", "b:3"]
            gone = await wire.asked(type="unsubscribe", job_id="a")
            assert (gone["event"], gone["data"]["job_id"]) == ("unsubscribed", "a")
            await gateway.hub.handle(message("a", 4))
            await gateway.hub.handle(message("b", 4))
            assert await wire.events(1) == ["b:4"]
            assert (await wire.asked(type="subscribe", job_id="a", after="a:4"))["event"] == "subscribed"

    async def test_one_ends_with_its_job_and_the_others_go_on(self, gateway: Gateway) -> None:
        async with opened(gateway, "?subscribe=false&format=events") as wire:
            await wire.say(type="subscribe", job_id="a", after="a:2", close_on_end=True)
            await wire.say(type="subscribe", job_id="b", after="b:2")
            assert await wire.events(3) == ["connected", "subscribed", "subscribed"]
            await gateway.hub.handle(message("a", 3, "job.failed"))
            assert await wire.events(2) == ["a:3", "unsubscribed"]
            await gateway.hub.handle(message("b", 3))
            assert await wire.events(1) == ["b:3"]

    async def test_pings_are_answered(self, gateway: Gateway) -> None:
        async with opened(gateway, "?subscribe=false") as wire:
            await wire.next()
            assert (await wire.asked(type="ping"))["event"] == "pong"
            await wire.socket.ping()

    async def test_there_is_a_limit(self, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(socket_module, "_MOST_SUBSCRIPTIONS", 2)
        async with opened(gateway, "?subscribe=false") as wire:
            await wire.next()
            for name in ("a", "b"):
                await wire.say(type="subscribe", job_id=name)
            told = await wire.asked(type="subscribe")
            while told["event"] != "error":
                told = await wire.next()
            assert told["data"]["code"] == "SUBSCRIPTION"


class TestBadMessages:
    @pytest.mark.parametrize(
        "sent",
        [
            "",
            "hello",
            "[]",
            "{}",
            '{"type": "dance"}',
            '{"type": "subscribe", "jobid": "a"}',
            '{"type": "subscribe", "job_id": 7}',
            '{"type": "subscribe", "job_id": "a", "after": "nonsense"}',
            '{"type": "subscribe", "job_id": "%s"}' % ("x" * 300),
            "[" * 2000,
            b'{"type": "ping"}',
        ],
    )
    async def test_they_are_answered_and_the_connection_goes_on(
        self, gateway: Gateway, sent: str | bytes
    ) -> None:
        async with opened(gateway, "?subscribe=false") as wire:
            await wire.next()
            told = await wire.refused(sent)
            assert told["code"] == "INVALID_MESSAGE"
            assert told["hint"]
            assert (await wire.asked(type="ping"))["event"] == "pong"

    async def test_one_that_is_far_too_long_ends_it(self, gateway: Gateway) -> None:
        async with opened(gateway, "?subscribe=false") as wire:
            await wire.next()
            await wire.socket.send_str("x" * 5000)
            assert (await wire.closed())[0] == 1009

    async def test_what_is_there_or_not_there_is_told(self, gateway: Gateway) -> None:
        async with opened(gateway, "?job_id=a&last_event_id=a:2") as wire:
            assert await wire.events(2) == ["connected", "subscribed"]
            assert (await wire.refused('{"type": "subscribe", "job_id": "a"}'))["code"] == "SUBSCRIPTION"
            assert (await wire.refused('{"type": "unsubscribe", "job_id": "b"}'))["code"] == "SUBSCRIPTION"
            assert (await wire.refused('{"type": "unsubscribe"}'))["message"] == "Not subscribed to all jobs"

    async def test_a_strangers_job_is_as_good_as_none(self, gateway: Gateway) -> None:
        async with opened(gateway, "?subscribe=false") as wire:
            await wire.next()
            told = []
            for name in ("theirs", "nobody"):
                error = await wire.refused(json.dumps({"type": "subscribe", "job_id": name}))
                assert error["code"] == "JOB_NOT_FOUND"
                told.append(json.dumps(error).replace(name, "ID"))
            assert told[0] == told[1]
            assert (await wire.asked(type="ping"))["event"] == "pong"

    async def test_a_database_that_is_away_costs_that_subscription(
        self, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def away(_: str) -> JobDocument | None:
            raise DatabaseUnavailableError("The database does not answer")

        async with opened(gateway, "?subscribe=false") as wire:
            await wire.next()
            with monkeypatch.context() as patch:
                patch.setattr(gateway.jobs, "with_tombstone", away)
                error = await wire.refused('{"type": "subscribe", "job_id": "a"}')
                assert (error["code"], error["job_id"]) == ("DATABASE_UNAVAILABLE", "a")
                async with opened(gateway, "?job_id=a") as other:
                    assert (await other.closed())[0] == 1013
            assert (await wire.asked(type="subscribe", job_id="a"))["event"] == "subscribed"

    async def test_a_subscription_that_breaks_off_says_so_and_can_be_had_again(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def away(_: str) -> JobDocument | None:
            raise DatabaseUnavailableError("The database does not answer")

        async with Gateway(GatewaySettings(stream_queue=1)).running() as gateway:
            await gateway.jobs.insert(job(gateway.clock, "a", events=5))
            async with opened(gateway, "?job_id=a&last_event_id=a:1&close_on_end=true") as wire:
                assert await wire.events(6) == ["connected", "subscribed", "a:2", "a:3", "a:4", "a:5"]
                with monkeypatch.context() as patch:
                    patch.setattr(gateway.jobs, "with_tombstone", away)
                    for seq in (6, 7, 8):  # more than may wait
                        await gateway.hub.handle(message("a", seq))
                    names = [(await wire.next())["event"] for _ in range(3)]
                    assert names == ["lagged", "error", "unsubscribed"]
                assert (await wire.asked(type="subscribe", job_id="a", after="a:5"))["event"] == "subscribed"


async def key_with(gateway: Gateway, *scopes: str) -> str:
    text = drawn()
    key = ApiKey(
        id="second",
        hash=gateway.access.ring.hash(text),
        prefix=text[:8],
        name="n",
        tenant="default",
        scopes=scopes,
        created_at=gateway.clock.now(),
    )
    assert await gateway.keys.insert(key)
    return text


class TestDoor:
    async def test_without_a_key_that_works_it_is_closed_with_a_code(self, gateway: Gateway) -> None:
        for headers in ({"X-Nothing": "1"}, {"X-API-Key": drawn()}):
            with capture_logs() as lines:
                async with opened(gateway, **headers) as wire:
                    assert (await wire.next())["data"]["code"] == "HTTP_ERROR"
                    assert (await wire.closed())[0] == 4401
                await soon(lambda lines=lines: [one.get("outcome") for one in lines] == [401])

    async def test_a_key_without_the_scope_too(self, gateway: Gateway) -> None:
        text = await key_with(gateway, "results:read")
        async with opened(gateway, **{"X-API-Key": text}) as wire:
            assert (await wire.closed())[0] == 4403

    @pytest.mark.parametrize("name", ["theirs", "nobody"])
    async def test_a_job_that_is_not_the_callers_too(self, gateway: Gateway, name: str) -> None:
        async with opened(gateway, f"?job_id={name}") as wire:
            assert await wire.closed() == (4404, f"Job {name} not found")

    async def test_a_query_that_makes_no_sense_too(self, gateway: Gateway) -> None:
        async with opened(gateway, "?format=morse") as wire:
            assert (await wire.closed())[0] == 4422

    async def test_one_connection_too_many_too(self) -> None:
        async with Gateway(GatewaySettings(max_streams=2)).running() as gateway:
            await gateway.jobs.insert(job(gateway.clock, "a"))
            async with opened(gateway) as first, opened(gateway):
                assert await first.events(2) == ["connected", "subscribed"]
                async with opened(gateway) as third:
                    assert (await third.closed())[0] == 1013
                # The first subscription comes with the connection, the second counts.
                assert (await first.refused('{"type": "subscribe", "job_id": "a"}'))["code"] == "BUSY"

    async def test_a_token_opens_it(self, gateway: Gateway) -> None:
        text = gateway.access.tokens.issue(Caller(), "events", timedelta(minutes=1))
        async with gateway.stranger() as http, http.ws_connect(f"{PATH}?token={text}") as socket:
            assert (await Wire(socket).next())["event"] == "connected"

    async def test_a_token_of_one_job_opens_no_other(self, gateway: Gateway) -> None:
        text = gateway.access.tokens.issue(
            Caller(), "events", timedelta(minutes=1), scopes=[Scope.JOBS_READ], job_id="a"
        )
        async with (
            gateway.stranger() as http,
            http.ws_connect(f"{PATH}?token={text}&job_id=a&last_event_id=a:2") as socket,
        ):
            wire = Wire(socket)
            assert await wire.events(2) == ["connected", "subscribed"]
            for sent in ({"type": "subscribe"}, {"type": "subscribe", "job_id": "b"}):
                assert (await wire.refused(json.dumps(sent)))["code"] == "JOB_NOT_FOUND"

    async def test_who_speaks_no_websocket_is_told(self, gateway: Gateway) -> None:
        status, answer = await gateway.get(PATH)
        assert (status, answer["error"]["code"]) == (426, "UPGRADE_REQUIRED")
        async with gateway.stranger() as http, http.get(PATH) as refused:
            assert refused.status == 401

    @pytest.mark.parametrize(
        ("origin", "status"),
        [
            ("http://localhost:3000", 101),
            ("{same}", 101),
            ("https://evil.example", 403),
            ("null", 403),
            ("http://localhost:3000.evil.example", 403),
        ],
    )
    async def test_pages_of_strange_origins_are_refused(
        self, gateway: Gateway, origin: str, status: int
    ) -> None:
        own = gateway.client.make_url("/")
        headers = {"Origin": origin.replace("{same}", f"http://{own.host}:{own.port}")}
        headers["Authorization"] = f"Bearer {KEY}"
        try:
            async with gateway.stranger() as http, http.ws_connect(PATH, headers=headers) as socket:
                assert (await Wire(socket).next())["event"] == "connected"
                found = 101
        except aiohttp.WSServerHandshakeError as error:
            found = error.status
        assert found == status


class TestEnds:
    async def test_a_shutdown_is_told(self, gateway: Gateway) -> None:
        async with opened(gateway) as wire, opened(gateway, "?subscribe=false") as idle:
            assert await wire.events(2) == ["connected", "subscribed"]
            await idle.next()
            gateway.hub.close()
            assert (await wire.closed())[0] == 1001
            assert (await idle.closed())[0] == 1001

    async def test_a_revoked_key_ends_it(self, gateway: Gateway) -> None:
        text = await key_with(gateway, "jobs:read")
        async with opened(gateway, **{"X-API-Key": text}) as wire:
            assert await wire.events(2) == ["connected", "subscribed"]
            gateway.hub.revoke({"second"})
            assert await wire.closed() == (4401, "The key has ended")

    async def test_a_client_that_leaves_is_forgotten(self, gateway: Gateway) -> None:
        async with opened(gateway, "?job_id=a") as wire:
            await wire.events(2)
            assert len(gateway.hub._present) == 2
        await soon(lambda: not gateway.hub._present)
        assert not gateway.hub._channels

    async def test_one_that_vanishes_without_a_word_too(self, gateway: Gateway) -> None:
        async with opened(gateway, "?job_id=a") as wire:
            await wire.events(2)
            transport = wire.socket.get_extra_info("socket")
            assert transport is not None
            connection = wire.socket._response.connection
            assert connection is not None
            assert connection.transport is not None
            connection.transport.abort()
            await soon(lambda: not gateway.hub._present)

    async def test_a_fault_of_ours_is_told_as_such(
        self, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def broken(_: str) -> JobDocument | None:
            raise RuntimeError("a bug")

        monkeypatch.setattr(gateway.jobs, "with_tombstone", broken)
        async with opened(gateway, "?job_id=a") as wire:
            assert (await wire.closed())[0] == 1011
        await soon(lambda: not gateway.hub._present)
