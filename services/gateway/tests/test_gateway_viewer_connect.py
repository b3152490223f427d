"""Connecting a browser: a link that works once and for minutes, and the key it gets for it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from gateway_kit import KEY, Gateway

from frameloom.common.cas import transact
from frameloom.common.machines.key import revoke
from frameloom.gateway.settings import AuthSettings, ViewerSettings

PAGE = '<script type="module" src="/viewer/assets/index-Ck2xY_8a.js"></script>'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "index.html").write_text(PAGE)
    return tmp_path


@pytest.fixture
async def gateway(folder: Path) -> AsyncIterator[Gateway]:
    async with Gateway(viewer=ViewerSettings(dir=folder)).running() as made:
        yield made


async def _link(gateway: Gateway, key: str = KEY) -> str:
    headers = {"Authorization": f"Bearer {key}"}
    async with gateway.client.post("/api/v1/viewer/connect", headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        url = (await answer.json())["url"]
    assert url.startswith("/viewer-connect#token=")
    return str(url.partition("=")[2])


async def _exchanged(gateway: Gateway, token: str) -> tuple[int, dict[str, Any]]:
    sent = {"token": token}
    async with gateway.stranger() as client, client.post("/api/v1/viewer/exchange", json=sent) as answer:
        return answer.status, await answer.json()


async def _opens(gateway: Gateway, key: str, path: str = "/api/v1/jobs/") -> int:
    async with gateway.client.get(path, headers={"Authorization": f"Bearer {key}"}) as answer:
        return answer.status


async def _made(gateway: Gateway, **facts: Any) -> dict[str, Any]:
    async with gateway.client.post("/api/v1/keys", json={"name": "lab", **facts}) as answer:
        assert answer.status == 201
        return dict(await answer.json())


async def test_a_link_is_exchanged_once_for_a_key_that_can_do_little(gateway: Gateway) -> None:
    token = await _link(gateway)
    status, key = await _exchanged(gateway, token)
    assert status == 201
    assert key["scopes"] == ["jobs:read", "jobs:write", "results:read"]
    assert datetime.fromisoformat(key["expires_at"]) == gateway.clock.now() + timedelta(days=7)
    assert await _opens(gateway, key["key"]) == 200
    assert await _opens(gateway, key["key"], "/api/v1/keys") == 403
    status, again = await _exchanged(gateway, token)
    assert (status, again["error"]["code"]) == (409, "CONNECT_TOKEN_USED")


async def test_a_link_expires(gateway: Gateway) -> None:
    token = await _link(gateway)
    gateway.clock.advance(301)
    assert (await _exchanged(gateway, token))[0] == 401


@pytest.mark.parametrize("token", ["nonsense", KEY, "a" * 4096])
async def test_what_is_no_token_of_ours_is_refused(gateway: Gateway, token: str) -> None:
    assert (await _exchanged(gateway, token))[0] == 401


async def test_a_token_for_events_connects_nothing(gateway: Gateway) -> None:
    async with gateway.client.post("/api/v1/events/token") as answer:
        token = (await answer.json())["token"]
    assert (await _exchanged(gateway, token))[0] == 401


async def test_the_key_allows_no_more_and_lives_no_longer_than_its_lender(gateway: Gateway) -> None:
    lender = await _made(gateway, scopes=["jobs:read"], expires_in_days=1, tenant="lab")
    _, key = await _exchanged(gateway, await _link(gateway, lender["key"]))
    assert key["scopes"] == ["jobs:read"]
    assert key["expires_at"] == lender["expires_at"]
    stored = await gateway.keys.get(key["key_id"])
    assert stored is not None
    assert (stored.tenant, stored.account, stored.made_with) == ("lab", lender["id"], lender["id"])
    _, further = await _exchanged(gateway, await _link(gateway, key["key"]))
    assert further["expires_at"] == lender["expires_at"]


async def test_with_its_lender_it_ends_and_so_do_those_made_with_it(gateway: Gateway) -> None:
    lender = await _made(gateway, tenant="lab")
    _, key = await _exchanged(gateway, await _link(gateway, lender["key"]))
    _, further = await _exchanged(gateway, await _link(gateway, key["key"]))
    pending = await _link(gateway, lender["key"])
    other = await _made(gateway, tenant="lab")
    async with gateway.client.delete(f"/api/v1/keys/{lender['id']}") as answer:
        assert answer.status == 204
    assert [await _opens(gateway, one["key"]) for one in (key, further, other)] == [401, 401, 200]
    assert (await _exchanged(gateway, pending))[0] == 401


async def test_a_lender_that_has_ended_at_another_gateway_lends_nothing(gateway: Gateway) -> None:
    lender = await _made(gateway, expires_in_days=1)
    token = await _link(gateway, lender["key"])
    await transact(gateway.keys, lender["id"], lambda key: revoke(key, gateway.clock.now()))
    assert (await _exchanged(gateway, token))[0] == 401


async def test_where_no_key_is_asked_for_a_browser_gets_one_all_the_same(folder: Path) -> None:
    auth = AuthSettings(required=False, secret="s" * 40, initial_key=KEY)
    async with Gateway(viewer=ViewerSettings(dir=folder), auth=auth).running() as gateway:
        async with gateway.stranger() as client, client.post("/api/v1/viewer/connect") as answer:
            token = (await answer.json())["url"].partition("=")[2]
        status, key = await _exchanged(gateway, token)
        assert status == 201
        assert await _opens(gateway, key["key"]) == 200


async def test_without_a_viewer_there_is_nothing_to_connect_to() -> None:
    async with Gateway().running() as gateway:
        status, body = await gateway.post(None, "/api/v1/viewer/connect")
        assert (status, body["error"]["code"]) == (404, "VIEWER_NOT_FOUND")
        assert (await gateway.get("/viewer-connect"))[0] == 404


async def test_the_page_stands_alone_and_is_kept_by_nobody(gateway: Gateway) -> None:
    async with gateway.client.get("/viewer-connect?token=va_x") as answer:
        text = await answer.text()
        headers = answer.headers
    assert "va_x" not in text
    assert not re.search(r'(?:src|href)="(?!data:)', text)
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy


async def test_a_key_that_may_not_read_jobs_makes_no_link(gateway: Gateway) -> None:
    key = (await _made(gateway, scopes=["results:read"]))["key"]
    headers = {"Authorization": f"Bearer {key}"}
    async with gateway.client.post("/api/v1/viewer/connect", headers=headers) as answer:
        assert answer.status == 403
