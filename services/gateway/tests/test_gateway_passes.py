"""Who may open an event stream without a header, and when a stream ends with its key."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from gateway_kit import KEY, SECRET, Gateway, job, soon

from frameloom.common.documents import ApiKey
from frameloom.common.machines import key as key_machine
from frameloom.gateway import descriptors
from frameloom.gateway.services.bootstrap import drawn
from frameloom.gateway.services.key_watch import KeyWatch
from frameloom.gateway.settings import AuthSettings, GatewaySettings

TOKEN = "/api/v1/events/token"
STREAM = "/api/v1/events/stream"


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with Gateway().running() as made:
        await made.jobs.insert(job(made.clock, "j", status="completed"))
        await made.jobs.insert(job(made.clock, "theirs", tenant="another"))
        yield made


async def token(gateway: Gateway, **body: Any) -> str:
    status, answer = await gateway.post(None, TOKEN, json=body)
    assert status == 200
    return str(answer["token"])


async def opened(gateway: Gateway, query: str) -> int:
    """The status of a stream that is asked for without a header."""
    async with gateway.stranger() as http, http.get(STREAM + query) as answer:
        return answer.status


async def another_key(gateway: Gateway, *scopes: str) -> tuple[ApiKey, str]:
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
    return key, text


class TestTokens:
    async def test_a_token_tells_when_it_expires(self, gateway: Gateway) -> None:
        for body, seconds in (({}, 60), ({"ttl_seconds": 3600}, 3600)):
            status, answer = await gateway.post(None, TOKEN, json=body)
            assert status == 200
            assert set(answer) == {"token", "expires_at"}
            end = datetime.fromisoformat(answer["expires_at"])
            assert end == gateway.clock.now() + timedelta(seconds=seconds)

    async def test_no_body_is_needed(self, gateway: Gateway) -> None:
        status, answer = await gateway.post(None, TOKEN)
        assert status == 200
        assert await opened(gateway, f"?token={answer['token']}") == 200

    async def test_it_opens_streams_until_then_and_those_go_on(self, gateway: Gateway) -> None:
        text = await token(gateway, ttl_seconds=2)
        async with gateway.stranger() as http, http.get(f"{STREAM}?token={text}") as answer:
            assert answer.status == 200
            gateway.clock.advance(3)
            assert await opened(gateway, f"?token={text}") == 401
            await answer.content.readline()
            assert not answer.content.at_eof()

    async def test_one_for_a_job_opens_that_job_only(self, gateway: Gateway) -> None:
        text = await token(gateway, job_id="j")
        assert await opened(gateway, f"?token={text}&job_id=j") == 200
        assert await opened(gateway, f"?token={text}") == 401
        assert await opened(gateway, f"?token={text}&job_id=theirs") == 401

    @pytest.mark.parametrize("job_id", ["theirs", "nobody"])
    async def test_for_a_job_of_another_there_is_none(self, gateway: Gateway, job_id: str) -> None:
        status, answer = await gateway.post(None, TOKEN, json={"job_id": job_id})
        assert (status, answer["error"]["code"]) == (404, "JOB_NOT_FOUND")
        text = await token(gateway)
        assert await opened(gateway, f"?token={text}&job_id={job_id}") == 404

    @pytest.mark.parametrize("ttl", [0, 3601, "long"])
    async def test_it_lives_a_second_at_least_and_an_hour_at_most(
        self, gateway: Gateway, ttl: object
    ) -> None:
        status, answer = await gateway.post(None, TOKEN, json={"ttl_seconds": ttl})
        assert status == 422
        assert answer["detail"][0]["loc"] == ["body", "ttl_seconds"]

    async def test_a_key_that_may_not_read_jobs_gets_none(self, gateway: Gateway) -> None:
        _, text = await another_key(gateway, "results:read")
        status, _ = await gateway.post(None, TOKEN, headers={"Authorization": f"Bearer {text}"})
        assert status == 403

    async def test_a_token_makes_no_token(self, gateway: Gateway) -> None:
        text = await token(gateway)
        async with gateway.stranger() as http, http.post(f"{TOKEN}?token={text}") as answer:
            assert answer.status == 401


class TestKeysInTheAddress:
    async def test_they_open_nothing_unless_the_operator_says_so(self, gateway: Gateway) -> None:
        assert await opened(gateway, f"?token={KEY}") == 401

    async def test_with_the_setting_they_do_as_the_viewer_needs_it(self) -> None:
        async with Gateway(GatewaySettings(key_in_query=True)).running() as gateway:
            assert await opened(gateway, f"?token={KEY}") == 200
            assert await opened(gateway, f"?token={drawn()}") == 401
            text = await token(gateway)
            assert await opened(gateway, f"?token={text}") == 200
            async with gateway.stranger() as http, http.get(f"/api/v1/jobs/?token={KEY}") as answer:
                assert answer.status == 401

    async def test_neither_is_ever_logged(
        self, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
    ) -> None:
        caplog.set_level(logging.DEBUG)
        async with Gateway(GatewaySettings(key_in_query=True, max_streams=1)).running() as gateway:
            text = await token(gateway)
            async with gateway.stranger() as http, http.get(f"{STREAM}?token={KEY}") as answer:
                await answer.content.readline()
                for query in (f"?token={text}", f"?token={KEY}&job_id=nobody", f"?token={drawn()}"):
                    assert await opened(gateway, query) in {401, 503}
        # aiohttp's access log is the test server's; the gateway has none.
        lines = [record.getMessage() for record in caplog.records if record.name != "aiohttp.access"]
        told = "\n".join([*lines, *capsys.readouterr()])
        assert "not answered" in told
        assert KEY not in told
        assert text not in told

    async def test_where_no_keys_are_asked_for_it_is_not_looked_at(self) -> None:
        auth = AuthSettings(required=False, secret=SECRET, initial_key=KEY)
        async with Gateway(auth=auth).running() as gateway:
            assert await opened(gateway, "?token=whatever") == 200


class TestRevocation:
    async def test_streams_end_when_their_key_is_revoked_elsewhere(self, gateway: Gateway) -> None:
        key, text = await another_key(gateway, "jobs:read")
        watch = KeyWatch(gateway.hub, gateway.keys, gateway.clock, 1.0)
        async with gateway.stranger() as http:
            mine = await http.get(STREAM, headers={"X-API-Key": text})
            status, answer = await gateway.post(None, TOKEN, headers={"Authorization": f"Bearer {text}"})
            assert status == 200
            by_token = await http.get(f"{STREAM}?token={answer['token']}")
            other = await gateway.client.get(STREAM)
            await soon(lambda: len(gateway.hub._present) == 3)
            await watch.look()
            assert len(gateway.hub._present) == 3
            assert await gateway.keys.apply(key_machine.revoke(key, gateway.clock.now()))
            await watch.look()
            async with asyncio.timeout(5):
                await mine.read()
                await by_token.read()
            await other.content.readline()
            assert len(gateway.hub._present) == 1
            other.close()


def test_each_stream_needs_a_descriptor(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert descriptors.resource is not None
    limits = [(100, 2000)]
    monkeypatch.setattr(descriptors.resource, "getrlimit", lambda _: limits[-1])
    monkeypatch.setattr(descriptors.resource, "setrlimit", lambda _, pair: limits.append(pair))
    descriptors.allow_descriptors(1200)
    assert limits[-1] == (1712, 2000)
    descriptors.allow_descriptors(1000)
    assert limits[-1] == (1712, 2000)
    assert "fewer open files" not in capsys.readouterr().out
    descriptors.allow_descriptors(5000)
    assert limits[-1] == (2000, 2000)
    assert "fewer open files" in capsys.readouterr().out
