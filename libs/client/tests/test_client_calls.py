"""The calls beside the way of one job: lists, deletion, validation, keys, the server itself."""

from __future__ import annotations

import pytest

from frameloom.client import (
    AsyncClient,
    AuthenticationError,
    ConflictError,
    NotFoundError,
    PermissionDeniedError,
    ServerError,
    WaitTimeoutError,
)
from frameloom.client.credentials import Key
from frameloom.client.events import FollowPolicy


def _many(gateway, count: int) -> list[str]:
    return [gateway.add_job(f"{number}.mp4", ["face_analysis"])["id"] for number in range(count)]


async def test_all_jobs_are_told_page_by_page_as_they_are_needed(gateway):
    ids = _many(gateway, 25)
    async with AsyncClient(gateway.url) as client:
        feed = client.jobs(per_page=10)
        first = [(await anext(feed)).id for _ in range(10)]
        assert len(gateway.seen) == 1
        rest = [job.id async for job in feed]
    assert first + rest == ids
    assert len(gateway.seen) == 3


async def test_a_full_last_page_is_the_last(gateway):
    _many(gateway, 20)
    async with AsyncClient(gateway.url) as client:
        assert len([job async for job in client.jobs(per_page=10)]) == 20
    assert len(gateway.seen) == 2


async def test_jobs_that_are_deleted_on_the_way_hide_no_others(gateway):
    ids = _many(gateway, 35)
    told = []
    async with AsyncClient(gateway.url) as client:
        async for job in client.jobs(per_page=10):
            told.append(job.id)
            await client.delete(job.id)
    assert told == ids
    assert gateway.jobs == {}


async def test_jobs_of_one_status_only(gateway):
    _many(gateway, 3)
    gateway.jobs["job-2"]["status"] = "failed"
    async with AsyncClient(gateway.url) as client:
        assert [job.id async for job in client.jobs(status="failed")] == ["job-2"]
        assert (await client.jobs_page(status="pending", per_page=1)).total == 2


async def test_a_job_that_is_not_there_can_not_be_deleted(gateway):
    async with AsyncClient(gateway.url) as client:
        with pytest.raises(NotFoundError, match="Job nobody not found") as caught:
            await client.delete("nobody")
    assert (caught.value.code, caught.value.status) == ("JOB_NOT_FOUND", 404)


async def test_configurations_are_validated(gateway):
    async with AsyncClient(gateway.url) as client:
        good = await client.validate("scene_detection", {"threshold": 20})
        bad = await client.validate_config({"scene_detection": {"threshold": "bad"}})
        await client.validate_config({"threshold": 1}, pipelines=["a", "b"])
    assert good.valid
    assert good.warnings[0].suggestion == "Leave it out"
    assert not bad.valid
    assert (bad.errors[0].field, bad.errors[0].code) == ("threshold", "INVALID_TYPE")
    assert [body.get("selected_pipelines") for body in gateway.bodies] == [
        None,
        ["scene_detection"],
        ["a", "b"],
    ]


async def test_pipelines_and_their_settings(gateway):
    async with AsyncClient(gateway.url) as client:
        assert (await client.pipeline("scene_detection")).name == "scene_detection"
        (parameter,) = (await client.schema("scene_detection")).parameters
        with pytest.raises(NotFoundError):
            await client.pipeline("nothing")
    assert (parameter.name, parameter.default) == ("threshold", 27.0)


async def test_the_server_tells_of_itself(gateway):
    async with AsyncClient(gateway.url) as client:
        health = await client.system_health()
        assert health.healthy
        assert health.workers["active_jobs"] == 0
        assert await client.metrics() == {"what": "metrics"}
        assert await client.system_config() == {"what": "config"}
        assert await client.database() == {"what": "database"}
        assert await client.debug.job("a/b") == {"asked": "jobs/a/b"}
        assert await client.debug.request_log(limit=7) == {"asked": "request-log", "limit": "7"}
        for call in (client.debug.server_info, client.debug.token_info, client.debug.background_jobs):
            assert (await call())["asked"] == call.__name__.replace("_", "-")
        assert (await client.debug.pipelines())["asked"] == "pipelines"


async def test_keys_are_made_listed_rotated_and_revoked(gateway):
    async with AsyncClient(gateway.url, api_key="va_admin") as client:
        made = await client.keys.create("lab", scopes=["jobs:read"], expires_in_days=30)
        assert made.key == "va_1"
        assert "va_1" not in repr(made)
        (listed,) = await client.keys.list()
        assert (listed.id, listed.name) == ("1", "lab")
        await client.keys.rotate("1", overlap_seconds=60)
        await client.keys.revoke("1")
        assert [key.id for key in await client.keys.list()] == ["2"]
    assert gateway.bodies == [
        {"name": "lab", "scopes": ["jobs:read"], "expires_in_days": 30},
        {"overlap_seconds": 60},
    ]


async def test_a_list_of_keys_that_is_none_is_a_server_fault(gateway):
    gateway.faults.answers = [("GET", 200, {}, {"novel": 1})]
    async with AsyncClient(gateway.url) as client:
        with pytest.raises(ServerError, match="no list of keys"):
            await client.keys.list()


async def test_what_stands_in_for_a_key_is_not_shown(gateway):
    async with AsyncClient(f"{gateway.url}/") as client:
        token = await client.event_token(job_id="job-1", ttl_seconds=5)
        link = await client.viewer_link()
    assert (token.token, link.url) == ("tok", f"{gateway.url}/viewer-connect#token=once")
    assert "tok" not in repr(token).replace("EventToken", "")
    assert "once" not in repr(link)
    assert gateway.bodies == [{"ttl_seconds": 5, "job_id": "job-1"}]


@pytest.mark.parametrize(
    ("status", "kind", "hint"),
    [
        (401, AuthenticationError, "The key came from keys.txt: is it one of this server's?"),
        (403, PermissionDeniedError, "The key came from keys.txt; `frameloom keys list`"),
        (409, ConflictError, None),
    ],
)
async def test_a_refusal_has_a_kind_of_its_own(gateway, status, kind, hint):
    message = "Invalid or expired token"
    gateway.faults.answers = [
        ("GET", status, {}, {"error": {"code": "HTTP_ERROR", "message": message}, "detail": message})
    ]
    async with AsyncClient(gateway.url, api_key=Key("va_secret", "keys.txt")) as client:
        with pytest.raises(kind, match=message) as caught:
            await client.job("x")
    assert caught.value.code == kind.code
    assert (caught.value.hint or "").startswith(hint or "")
    assert "va_secret" not in f"{caught.value!r} {caught.value.hint}"


async def test_without_a_key_it_says_where_one_goes(gateway):
    gateway.faults.answers = [("GET", 401, {}, {"detail": "API key required."})]
    async with AsyncClient(gateway.url) as client:
        with pytest.raises(AuthenticationError) as caught:
            await client.job("x")
    assert "FRAMELOOM_API_KEY" in str(caught.value.hint)


async def test_waiting_ends_with_the_results_or_with_the_time(gateway):
    gateway.add_job("a.mp4", ["face_analysis"])
    async with AsyncClient(gateway.url) as client:
        assert (await client.wait("job-1", timeout=20)).succeeded
        gateway.add_job("b.mp4", ["face_analysis"])
        gateway.faults.no_stream = True
        with pytest.raises(WaitTimeoutError, match=r"not ended within 0\.2 s") as caught:
            await client.wait("job-2", timeout=0.2, policy=FollowPolicy(poll_seconds=0.05))
    assert isinstance(caught.value, TimeoutError)


async def test_what_a_client_is_called_does_not_show_its_key(gateway):
    async with AsyncClient(gateway.url, api_key="va_secret") as client:
        assert repr(client) == f"<AsyncClient {gateway.url}, key from the one that was given>"
        assert "va_secret" not in repr(client.key)
