"""The name of a request, and the lines about what was changed and what was refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from gateway_kit import KEY, Gateway, form, job
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from frameloom.gateway.settings import LimitSettings

JOBS = "/api/v1/jobs/"


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with Gateway(limits=LimitSettings(trusted_proxies=("127.0.0.0/8",))).running() as made:
        yield made


@pytest.fixture
def lines() -> Any:
    with capture_logs(processors=[merge_contextvars]) as captured:
        yield captured


def audit(lines: list[Any]) -> list[Any]:
    return [line for line in lines if "outcome" in line]


async def test_a_change_is_written_down_with_who_what_and_from_where(
    gateway: Gateway, lines: list[Any]
) -> None:
    (key,) = gateway.keys.held.values()
    headers = {"X-Request-ID": "my-request.1", "X-Forwarded-For": "1.2.3.4"}
    async with gateway.client.post(JOBS, data=form(), headers=headers) as answer:
        made = (await answer.json())["id"]
        assert answer.headers["X-Request-ID"] == "my-request.1"
    (line,) = audit(lines)
    assert line == {
        "event": "changed",
        "log_level": "info",
        "operation": "submit_job_api_v1_jobs__post",
        "made": made,
        "outcome": 201,
        "key_id": key.id,
        "tenant": "default",
        "peer": "1.2.3.4",
        "request_id": "my-request.1",
    }
    accepted = next(line for line in lines if line["event"] == "job accepted")
    assert accepted["request_id"] == "my-request.1"
    assert KEY not in str(lines)


async def test_a_key_that_is_changed_is_not_mixed_up_with_the_one_that_changes_it(
    gateway: Gateway, lines: list[Any]
) -> None:
    (own,) = gateway.keys.held.values()
    async with gateway.client.post("/api/v1/keys", json={"name": "n"}) as answer:
        old = (await answer.json())["id"]
    async with gateway.client.post(f"/api/v1/keys/{old}/rotate") as answer:
        new = await answer.json()
    made, rotated = audit(lines)
    assert (made["operation"], made["key_id"], made["made"]) == ("create_key", own.id, old)
    assert (rotated["key_id"], rotated["about_key"], rotated["made"]) == (own.id, old, new["id"])
    assert new["key"] not in str(lines)


async def test_a_change_that_was_not_made(gateway: Gateway, lines: list[Any]) -> None:
    await gateway.post(None, f"{JOBS}nobody/cancel")
    (line,) = audit(lines)
    assert (line["event"], line["outcome"], line["job_id"]) == ("not changed", 404, "nobody")


async def test_an_id_can_not_forge_lines(gateway: Gateway, lines: list[Any]) -> None:
    await gateway.post(None, f"{JOBS}%1b[31mred%0a{'x' * 100}/cancel")
    (line,) = audit(lines)
    assert line["job_id"].startswith(r"'\x1b[31mred\n")
    assert len(line["job_id"]) < 80
    assert line["job_id"].isprintable()


async def test_reading_leaves_no_line(gateway: Gateway, lines: list[Any]) -> None:
    await gateway.jobs.insert(job(gateway.clock, "j"))
    for path in (JOBS, f"{JOBS}j", "/health", "/api/v1/pipelines/", "/nothing"):
        await gateway.get(path)
    assert not audit(lines)


@pytest.mark.parametrize(
    ("headers", "outcome"), [({}, 401), ({"X-API-Key": "va_" + "A" * 43}, 401), ({"X-API-Key": KEY}, 429)]
)
async def test_whoever_is_refused_is_written_down(
    lines: list[Any], headers: dict[str, str], outcome: int
) -> None:
    async with (
        Gateway(limits=LimitSettings(requests_per_second=0.1, burst=1)).running() as gateway,
        gateway.stranger() as http,
    ):
        (key,) = gateway.keys.held.values()
        if outcome == 429:
            await gateway.get(f"{JOBS}j")
        async with http.get(f"{JOBS}j", headers=headers) as answer:
            assert answer.status == outcome
        (line,) = audit(lines)
        assert (line["event"], line["log_level"], line["outcome"]) == ("refused", "warning", outcome)
        assert (line["job_id"], line["peer"]) == ("j", "127.0.0.1")
        known = outcome == 429
        assert line["key_id"] == (key.id if known else None)
        assert line["tenant"] == ("default" if known else None)
    assert "A" * 43 not in str(lines)
    assert KEY not in str(lines)


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "a\tb", "ü", "<script>", "a;b"])
async def test_a_name_that_is_not_sane_is_replaced(gateway: Gateway, given: str) -> None:
    async with gateway.client.get("/health", headers={"X-Request-ID": given}) as answer:
        assert UUID(answer.headers["X-Request-ID"])


async def test_every_request_has_a_name_of_its_own(gateway: Gateway) -> None:
    names = set()
    for path in ("/health", JOBS, f"{JOBS}nobody", "/nothing"):
        async with gateway.client.get(path) as answer:
            names.add(answer.headers["X-Request-ID"])
    assert len(names) == 4
