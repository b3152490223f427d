"""The door: the original's words and statuses, scopes, and tokens in the place of keys."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any

import pytest
from gateway_kit import KEY, MP4, SECRET, Gateway, form, job

from frameloom.common.documents import ApiKey
from frameloom.gateway.services.bootstrap import drawn
from frameloom.gateway.services.caller import Caller, Scope
from frameloom.gateway.settings import AuthSettings, LimitSettings

JOBS = "/api/v1/jobs/"
MISSING = "API key required. Set AUTH_REQUIRED=false to disable authentication."
WRONG = "Invalid or expired token"


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with Gateway().running() as made:
        yield made


@pytest.fixture
async def open_gateway() -> AsyncIterator[Gateway]:
    settings = AuthSettings(required=False, secret=SECRET, initial_key=KEY)
    async with Gateway(auth=settings).running() as made:
        yield made


async def key_with(gateway: Gateway, *scopes: str, tenant: str = "default") -> str:
    """A new key's text."""
    text = drawn()
    key = ApiKey(
        id=f"key-{text[-6:]}",
        hash=gateway.access.ring.hash(text),
        prefix=text[:8],
        name="n",
        tenant=tenant,
        scopes=scopes,
        created_at=gateway.clock.now(),
    )
    assert await gateway.keys.insert(key)
    return text


async def asked(
    gateway: Gateway,
    path: str = JOBS,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> tuple[int, Any, Mapping[str, str]]:
    async with (
        gateway.stranger() as http,
        http.request(method, path, headers=headers, **more) as answer,
    ):
        return answer.status, await answer.json(), answer.headers


async def test_without_a_key(gateway: Gateway) -> None:
    status, body, headers = await asked(gateway)
    assert (status, body["detail"], body["error"]["code"]) == (401, MISSING, "HTTP_ERROR")
    assert headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Basic dTpw"},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer   "},
        {"Authorization": KEY},
        {"X-API-Key": ""},
        {"Cookie": f"api_key={KEY}"},
    ],
)
async def test_what_is_no_key_is_as_good_as_none(gateway: Gateway, headers: dict[str, str]) -> None:
    status, body, _ = await asked(gateway, headers=headers)
    assert (status, body["detail"]) == (401, MISSING)


@pytest.mark.parametrize(
    "text", ["dev-token", "test-token", "x", "va_" + "A" * 43, KEY + "x", "é" * 50, "k" * 4000]
)
async def test_a_wrong_key(gateway: Gateway, text: str) -> None:
    for headers in ({"Authorization": f"Bearer {text}"}, {"X-API-Key": text}):
        status, body, _ = await asked(gateway, headers=headers)
        assert (status, body["detail"], body["error"]["code"]) == (401, WRONG, "HTTP_ERROR")


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {KEY}"},
        {"authorization": f"bEaReR  {KEY} "},
        {"X-API-Key": KEY},
        {"Authorization": f"Bearer {KEY}", "X-API-Key": "wrong"},
        {"Authorization": "Basic dTpw", "X-API-Key": KEY},
    ],
)
async def test_a_key_opens(gateway: Gateway, headers: dict[str, str]) -> None:
    assert (await asked(gateway, headers=headers))[0] == 200


async def test_an_expired_key(gateway: Gateway) -> None:
    text = await key_with(gateway, "jobs:read")
    key = next(k for k in gateway.keys.held.values() if k.scopes == ("jobs:read",))
    gateway.keys.held[key.id] = key.model_copy(update={"expires_at": gateway.clock.now() + timedelta(days=1)})
    headers = {"Authorization": f"Bearer {text}"}
    assert (await asked(gateway, headers=headers))[0] == 200
    gateway.clock.advance(86_400)
    status, body, _ = await asked(gateway, headers=headers)
    assert (status, body["detail"]) == (401, WRONG)


async def test_a_scope_that_lacks_is_named(gateway: Gateway) -> None:
    headers = {"Authorization": f"Bearer {await key_with(gateway, 'jobs:read', 'from:the:future')}"}
    assert (await asked(gateway, headers=headers))[0] == 200
    status, body, _ = await asked(gateway, method="POST", headers=headers, data=form())
    assert (status, body["error"]["code"]) == (403, "FORBIDDEN")
    assert "jobs:write" in body["error"]["hint"]
    assert body["error"]["detail"] == {"scope": "jobs:write"}
    assert not gateway.jobs.held


async def test_a_key_sees_its_tenant_only(gateway: Gateway) -> None:
    await gateway.jobs.insert(job(gateway.clock, "ours"))
    await gateway.jobs.insert(job(gateway.clock, "theirs", tenant="lab"))
    headers = {"Authorization": f"Bearer {await key_with(gateway, 'admin', tenant='lab')}"}
    _, body, _ = await asked(gateway, headers=headers)
    assert [entry["id"] for entry in body["jobs"]] == ["theirs"]
    assert (await asked(gateway, "/api/v1/jobs/ours", headers=headers))[0] == 404


async def test_what_is_open_needs_no_key_and_minds_no_wrong_one(gateway: Gateway) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"X-API-Key": KEY}):
        for path in ("/health", "/api/v1/health", "/api/v1/pipelines/"):
            assert (await asked(gateway, path, headers=headers))[0] == 200


async def test_a_key_is_asked_for_before_the_body_is_read(gateway: Gateway) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.client.port)
    for expect in ("", "Expect: 100-continue\r\n"):
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.client.port)
        writer.write(
            b"POST /api/v1/jobs/ HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=B\r\n"
            b"Content-Length: 90000\r\n" + expect.encode() + b"\r\n"
        )
        async with asyncio.timeout(5):
            assert (await reader.readline()).split()[1] == b"401"  # and no "100 Continue" before it
        writer.close()


async def test_a_request_that_asks_beforehand_is_counted_once() -> None:
    left = []
    async with Gateway(limits=LimitSettings(requests_per_second=0.001, burst=10)).running() as gateway:
        for headers in ({}, {"Expect": "100-continue"}, {}):
            more = {"Authorization": f"Bearer {KEY}", **headers}
            _, _, told = await asked(gateway, method="POST", headers=more, data=form(MP4))
            left.append(told["RateLimit-Remaining"])
    assert left == ["9", "8", "7"]


async def test_with_a_key_the_body_is_asked_for(gateway: Gateway) -> None:
    headers = {"Authorization": f"Bearer {KEY}", "Expect": "100-continue"}
    status, body, _ = await asked(gateway, method="POST", headers=headers, data=form(MP4))
    assert (status, body["status"]) == (201, "pending")


class TestWithoutKeys:
    async def test_no_key_is_needed(self, open_gateway: Gateway) -> None:
        status, body, _ = await asked(open_gateway, method="POST", data=form())
        assert status == 201
        assert open_gateway.jobs.held[body["id"]].tenant == "default"

    async def test_a_wrong_key_is_still_refused(self, open_gateway: Gateway) -> None:
        status, body, _ = await asked(open_gateway, headers={"Authorization": "Bearer wrong"})
        assert (status, body["detail"]) == (401, WRONG)

    async def test_a_right_one_is_used(self, open_gateway: Gateway) -> None:
        text = await key_with(open_gateway, "jobs:write")
        assert (await asked(open_gateway, headers={"X-API-Key": text}))[0] == 403


class TestTokens:
    PATH = "/api/v1/events/stream?job_id=j&close_on_end=1"

    def token(self, gateway: Gateway, **more: Any) -> str:
        return gateway.access.tokens.issue(Caller(key_id="k"), "events", timedelta(minutes=1), **more)

    async def opened(self, gateway: Gateway, query: str) -> int:
        await gateway.jobs.insert(job(gateway.clock, "j"))
        async with gateway.stranger() as http, http.get(self.PATH + query) as answer:
            return answer.status

    async def test_a_token_opens_the_stream(self, gateway: Gateway) -> None:
        assert await self.opened(gateway, f"&token={self.token(gateway)}") == 200

    async def test_a_token_of_one_job_opens_that_job_only(self, gateway: Gateway) -> None:
        assert await self.opened(gateway, f"&token={self.token(gateway, job_id='j')}") == 200
        assert await self.opened(gateway, f"&token={self.token(gateway, job_id='other')}") == 401

    async def test_a_token_without_the_scope_is_refused(self, gateway: Gateway) -> None:
        token = self.token(gateway, scopes=[Scope.RESULTS_READ])
        caller = gateway.access.tokens.read(token, "events")
        assert caller.scopes == {Scope.RESULTS_READ}
        assert await self.opened(gateway, f"&token={token}") == 403

    @pytest.mark.parametrize("text", ["wrong", KEY])
    async def test_neither_a_wrong_token_nor_a_key_in_the_address_opens(
        self, gateway: Gateway, text: str
    ) -> None:
        assert await self.opened(gateway, f"&token={text}") == 401

    async def test_elsewhere_a_token_counts_for_nothing(self, gateway: Gateway) -> None:
        status, body, _ = await asked(gateway, f"{JOBS}?token={self.token(gateway)}")
        assert (status, body["detail"]) == (401, MISSING)
