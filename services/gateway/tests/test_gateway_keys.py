"""Key administration over the ports in memory: made, shown once, revoked, rotated, and by whom."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from gateway_kit import KEY, Gateway

from frameloom.common.clock import ManualClock
from frameloom.common.documents import ApiKey
from frameloom.common.machines.key import replace, revoke
from frameloom.common.machines.transition import Refused
from frameloom.gateway.services.caller import Caller, Scope

KEYS = "/api/v1/keys"
JOBS = "/api/v1/jobs/"


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with Gateway().running() as made:
        yield made


async def call(
    gateway: Gateway, method: str, path: str, key: str = KEY, json: Any = None
) -> tuple[int, dict[str, Any]]:
    headers = {"Authorization": f"Bearer {key}"}
    async with gateway.stranger() as http, http.request(method, path, json=json, headers=headers) as answer:
        return answer.status, (await answer.json()) if answer.status != 204 else {}


async def made(gateway: Gateway, key: str = KEY, **facts: Any) -> dict[str, Any]:
    status, body = await call(gateway, "POST", KEYS, key, {"name": "a key", **facts})
    assert status == 201, body
    return body


async def test_a_new_key_works_and_is_shown_once(gateway: Gateway) -> None:
    body = await made(gateway, name=" my laptop ")
    assert len(body["key"]) == 46
    assert body["key"].startswith("va_")
    assert body["prefix"] == body["key"][:8]
    assert (body["name"], body["tenant"], body["status"]) == ("my laptop", "default", "active")
    assert body["scopes"] == ["jobs:read", "jobs:write", "results:read"]
    assert body["expires_at"] == "2027-01-01T00:00:00Z"
    assert (await call(gateway, "GET", JOBS, body["key"]))[0] == 200
    status, shown = await call(gateway, "GET", f"{KEYS}/{body['id']}")
    assert (status, shown) == (200, {k: v for k, v in body.items() if k != "key"})
    _, listed = await call(gateway, "GET", KEYS)
    assert listed["total"] == 2
    assert shown in listed["keys"]
    assert body["key"] not in str(gateway.keys.held)


@pytest.mark.parametrize(
    ("days", "expected"), [(7, "2026-01-08T00:00:00Z"), (0, None), (None, "2027-01-01T00:00:00Z")]
)
async def test_its_life_is_as_wanted(gateway: Gateway, days: int | None, expected: str | None) -> None:
    assert (await made(gateway, expires_in_days=days))["expires_at"] == expected


@pytest.mark.parametrize(
    "facts",
    [
        {"name": ""},
        {"name": "   "},
        {"name": "x" * 101},
        {"scopes": []},
        {"scopes": ["everything"]},
        {"tenant": "Not A Name"},
        {"tenant": ""},
        {"expires_in_days": -1},
        {"limits": {"concurrent_jobs": -1}},
        {"limits": {"speed": 1}},
        {"admin": True},
    ],
)
async def test_what_makes_no_sense_is_refused(gateway: Gateway, facts: dict[str, Any]) -> None:
    status, body = await call(gateway, "POST", KEYS, json={"name": "n", **facts})
    assert status == 422
    assert body["detail"][0]["loc"][:2] == ["body", next(iter(facts))]
    assert len(gateway.keys.held) == 1


async def test_a_revoked_key_ends_at_once_and_stays_listed(gateway: Gateway) -> None:
    body = await made(gateway)
    assert (await call(gateway, "GET", JOBS, body["key"]))[0] == 200
    for _ in range(2):
        assert (await call(gateway, "DELETE", f"{KEYS}/{body['id']}"))[0] == 204
    status, refused = await call(gateway, "GET", JOBS, body["key"])
    assert (status, refused["detail"]) == (401, "Invalid or expired token")
    _, shown = await call(gateway, "GET", f"{KEYS}/{body['id']}")
    assert (shown["status"], shown["revoked_at"]) == ("revoked", "2026-01-01T00:00:00Z")


class TestRotation:
    async def test_both_work_during_the_overlap(self, gateway: Gateway) -> None:
        old = await made(gateway, scopes=["jobs:read"], tenant="lab", expires_in_days=30)
        path = f"{KEYS}/{old['id']}"
        status, new = await call(gateway, "POST", f"{path}/rotate", json={"overlap_seconds": 60})
        assert status == 201
        assert new["key"] != old["key"]
        for name in ("name", "tenant", "scopes", "limits", "expires_at"):
            assert new[name] == old[name]
        assert new["replaces"] == old["id"]
        for text in (old["key"], new["key"]):
            assert (await call(gateway, "GET", JOBS, text))[0] == 200
        _, shown = await call(gateway, "GET", path)
        assert (shown["status"], shown["replaced_by"]) == ("retiring", new["id"])
        assert shown["retires_at"] == "2026-01-01T00:01:00Z"
        gateway.clock.advance(60)
        assert (await call(gateway, "GET", JOBS, old["key"]))[0] == 401
        assert (await call(gateway, "GET", JOBS, new["key"]))[0] == 200
        assert (await call(gateway, "GET", path))[1]["status"] == "replaced"

    async def test_without_a_body_the_overlap_is_a_day(self, gateway: Gateway) -> None:
        old = await made(gateway)
        for body in ({}, None):
            status, new = await call(gateway, "POST", f"{KEYS}/{old['id']}/rotate", json=body)
            assert status == 201
            _, shown = await call(gateway, "GET", f"{KEYS}/{old['id']}")
            assert shown["retires_at"] == "2026-01-02T00:00:00Z"
            old = new

    async def test_without_an_overlap_the_old_one_ends_at_once(self, gateway: Gateway) -> None:
        old = await made(gateway)
        assert (await call(gateway, "GET", JOBS, old["key"]))[0] == 200
        await call(gateway, "POST", f"{KEYS}/{old['id']}/rotate", json={"overlap_seconds": 0})
        assert (await call(gateway, "GET", JOBS, old["key"]))[0] == 401

    async def test_of_two_at_once_one_wins_and_the_other_leaves_no_key(self, gateway: Gateway) -> None:
        old = await made(gateway)
        path = f"{KEYS}/{old['id']}/rotate"
        answers = await asyncio.gather(*(call(gateway, "POST", path, json={}) for _ in range(4)))
        assert sorted(status for status, _ in answers) == [201, 409, 409, 409]
        assert all(body["error"]["code"] == "KEY_ENDED" for status, body in answers if status == 409)
        working = [key for key in gateway.keys.held.values() if key.works(gateway.clock.now())]
        assert len(working) == 3  # the client's, the old one in its overlap, its one successor

    async def test_one_that_has_ended_is_not_rotated(self, gateway: Gateway) -> None:
        old = await made(gateway)
        await call(gateway, "DELETE", f"{KEYS}/{old['id']}")
        status, body = await call(gateway, "POST", f"{KEYS}/{old['id']}/rotate")
        assert (status, body["error"]["code"], body["error"]["detail"]["status"]) == (
            409,
            "KEY_ENDED",
            "revoked",
        )
        assert len(gateway.keys.held) == 2

    @pytest.mark.parametrize("overlap", [-1, 10**9, "long"])
    async def test_the_overlap_is_bounded(self, gateway: Gateway, overlap: Any) -> None:
        old = await made(gateway)
        path = f"{KEYS}/{old['id']}/rotate"
        assert (await call(gateway, "POST", path, json={"overlap_seconds": overlap}))[0] == 422


class TestTenants:
    async def test_an_admin_of_a_tenant_rules_over_its_keys_only(self, gateway: Gateway) -> None:
        lab = (await made(gateway, tenant="lab", scopes=["admin"]))["key"]
        theirs = await made(gateway, tenant="zoo")
        own = await made(gateway, lab, scopes=["jobs:read"])
        assert own["tenant"] == "lab"
        _, listed = await call(gateway, "GET", KEYS, lab)
        assert {key["tenant"] for key in listed["keys"]} == {"lab"}
        for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/rotate")):
            stranger = await call(gateway, method, f"{KEYS}/{theirs['id']}{path}", lab)
            nobody = await call(gateway, method, f"{KEYS}/{'0' * len(theirs['id'])}{path}", lab)
            assert stranger[0] == nobody[0] == 404
            assert stranger[1]["error"]["code"] == nobody[1]["error"]["code"] == "KEY_NOT_FOUND"
        assert (await call(gateway, "GET", JOBS, theirs["key"]))[0] == 200
        assert (await call(gateway, "DELETE", f"{KEYS}/{own['id']}", lab))[0] == 204

    async def test_it_makes_none_for_others_and_gives_itself_no_limits(self, gateway: Gateway) -> None:
        lab = (await made(gateway, tenant="lab", scopes=["admin"]))["key"]
        for facts in ({"tenant": "zoo"}, {"tenant": "default"}, {"limits": {"stored_bytes": 0}}):
            status, body = await call(gateway, "POST", KEYS, lab, {"name": "n", **facts})
            assert (status, body["error"]["code"]) == (403, "FORBIDDEN")
        assert (await made(gateway, lab, tenant="lab"))["tenant"] == "lab"

    async def test_the_operator_rules_over_all(self, gateway: Gateway) -> None:
        lab = await made(gateway, tenant="lab", limits={"concurrent_jobs": 2})
        assert lab["limits"]["concurrent_jobs"] == 2
        assert (await call(gateway, "GET", f"{KEYS}/{lab['id']}"))[0] == 200
        _, new = await call(gateway, "POST", f"{KEYS}/{lab['id']}/rotate")
        assert (new["tenant"], new["limits"]["concurrent_jobs"]) == ("lab", 2)


async def test_what_is_known_of_a_requests_own_key(gateway: Gateway) -> None:
    body = await made(gateway, scopes=["jobs:read"], tenant="lab")
    gateway.clock.advance(5)
    await call(gateway, "GET", JOBS, body["key"])
    await gateway.access.ring._flush()
    caller = Caller("lab", body["id"], frozenset({Scope.JOBS_READ}))
    facts = await gateway.access.keys.info(caller)
    assert facts.shown is not None
    assert facts.shown.key.last_used_at == gateway.clock.now()
    assert (facts.shown.text, facts.scopes, facts.tenant) == (None, (Scope.JOBS_READ,), "lab")
    assert facts.limits is not None
    assert (facts.limits.burst, facts.limits.concurrent_jobs) == (2000, 0)
    nobody = await gateway.access.keys.info(Caller())
    assert (nobody.shown, nobody.limits) == (None, None)


class TestMachine:
    def key(self, **changes: Any) -> ApiKey:
        now = ManualClock().now()
        made = ApiKey(id="k", hash="h", prefix="p", name="n", tenant="t", scopes=(), created_at=now)
        return made.model_copy(update=changes)

    def test_revoking_twice_is_refused(self) -> None:
        now = ManualClock().now()
        once = revoke(self.key(), now).after
        assert (once.rev, once.revoked_at) == (1, now)
        with pytest.raises(Refused):
            revoke(once, now)

    @pytest.mark.parametrize("end", ["revoked_at", "expires_at", "retires_at", "replaced_by"])
    def test_only_a_working_key_without_a_successor_is_replaced(self, end: str) -> None:
        now = ManualClock().now()
        with pytest.raises(Refused):
            replace(self.key(**{end: "s" if end == "replaced_by" else now}), "s", now, 1)

    def test_an_overlap_never_lengthens_a_life(self) -> None:
        now = ManualClock().now()
        ends = now + timedelta(seconds=5)
        after = replace(self.key(expires_at=ends), "s", now, 60).after
        assert after.works(now + timedelta(seconds=4))
        assert not after.works(ends)
