"""Uploads that nobody should send: each is answered with a sentence of its own, and nothing is left of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from support.deployment import Deployment
from support.grounds import Grounds
from support.hostile import FILES, REQUESTS, Case, RequestCase
from support.hostile.requests import Door, answered

LIMITS = {
    "FRAMELOOM_GATEWAY_MAX_UPLOAD_BYTES": "8000000",
    "FRAMELOOM_GATEWAY_BODY_IDLE_TIMEOUT_SECONDS": "2",
    "FRAMELOOM_UPLOAD_GRACE_SECONDS": "1",
    "FRAMELOOM_UPLOAD_MIN_BYTES_PER_SECOND": "2000",
}
"""So that slow and endless clients need not be waited for."""
ON_THE_SECOND_GROUND = {
    *("mkv of forty sounds", "avi of a hundred thousand lists", "ogg of five thousand streams in a chain"),
    *("mkv with large attachments alone", "transport stream of nothing", "name with a way out", "png"),
}
"""Those that lie in quarantine for being large, and one of those that do not."""


@pytest.fixture(scope="module")
async def gateway(
    all_grounds: Grounds, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Deployment]:
    """A gateway with a worker that offers pipelines; jobs are planned by nobody."""
    deployment = Deployment(await all_grounds.get("embedded"), tmp_path_factory.mktemp("hostile"), LIMITS)
    try:
        await deployment.start("gateway", "worker")
        await offered(deployment)
        yield deployment
    finally:
        await deployment.close()


async def offered(deployment: Deployment) -> None:
    """Waits until there is something to submit to."""
    async with asyncio.timeout(60):
        while True:
            try:
                if (await deployment.get("/api/v1/pipelines/"))["pipelines"]:
                    return
            except (aiohttp.ClientError, AssertionError):
                pass
            await asyncio.sleep(0.1)


async def sent(deployment: Deployment, case: Case) -> tuple[int, dict[str, Any]]:
    data = aiohttp.FormData(quote_fields=False)
    data.add_field("selected_pipelines", case.pipelines)
    data.add_field("video", case.make(), filename=case.filename, content_type="video/mp4")
    async with deployment.http.post(f"{deployment.base_url}/api/v1/jobs/", data=data) as answer:
        return answer.status, await answer.json()


async def check(deployment: Deployment, case: Case) -> None:
    """The answer is the right one, and the bucket has the accepted file or nothing."""
    before = set(await deployment.keys())
    status, body = await sent(deployment, case)
    made = set(await deployment.keys()) - before
    if case.status == 201:
        assert status == 201, body
        assert made == {f"media/{body['id']}/source"}
        if case.kept is not None:
            assert body["video_filename"] == case.kept
        return
    assert status == case.status, body
    assert body["error"]["code"] == case.code, body
    assert case.told in body["error"]["message"], body
    assert case.told == "" or body["error"]["hint"], body
    assert made == set()


@pytest.mark.parametrize("case", FILES, ids=lambda case: case.name)
async def test_a_file_that_is_none_is_told_apart(gateway: Deployment, case: Case) -> None:
    await check(gateway, case)


@pytest.mark.parametrize("case", REQUESTS, ids=lambda case: case.name)
async def test_a_request_that_is_wrong_as_such_is_told(gateway: Deployment, case: RequestCase) -> None:
    before = set(await gateway.keys())
    status, body = await answered(case, Door(int(gateway.base_url.rpartition(":")[2]), gateway.api_key))
    assert status == case.status, body
    assert case.told in body
    async with asyncio.timeout(10):
        while set(await gateway.keys()) - before:
            await asyncio.sleep(0.05)


async def test_after_all_of_them_the_gateway_is_well(gateway: Deployment) -> None:
    """It has answered none of them by a fault of its own, and its log has no traceback."""
    assert (await gateway.get("/api/v1/health"))["status"] == "ok"
    log = gateway.log_of("gateway")
    assert "Traceback" not in log
    assert '"unexpected"' not in log
    assert not await gateway.keys("quarantine/")


async def test_there_are_enough_of_them() -> None:
    names = [case.name for case in (*FILES, *REQUESTS)]
    assert len(names) == len(set(names)) >= 40
    assert set(names) >= ON_THE_SECOND_GROUND


async def test_the_second_ground_agrees(
    all_grounds: Grounds, tmp_path_factory: pytest.TempPathFactory
) -> None:
    ground = await all_grounds.get("kafka-minio")
    deployment = Deployment(ground, tmp_path_factory.mktemp("hostile-minio"), LIMITS)
    try:
        await deployment.start("gateway", "worker")
        await offered(deployment)
        for case in FILES:
            if case.name in ON_THE_SECOND_GROUND:
                await check(deployment, case)
    finally:
        await deployment.close()
