"""Keys over real servers: the first start, the command line, several gateways, and a restart."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from pathlib import Path
from typing import Any

import aiohttp

from support.deployment import Deployment, form

FRAMELOOM = str(Path(sys.executable).with_name("frameloom"))
KEY = re.compile(r"va_[A-Za-z0-9_-]{43}")
JOBS = "/api/v1/jobs/"


async def frameloom(deployment: Deployment, *arguments: str, key: str | None = None) -> tuple[int, str, str]:
    """Runs the command against the deployment's gateway; exit code, standard output and error."""
    environment = {
        **{
            name: value for name, value in deployment.environment.items() if not name.startswith("FRAMELOOM_")
        },
        "FRAMELOOM_SERVER": deployment.base_url,
        "FRAMELOOM_API_KEY": key or deployment.api_key,
    }
    process = await asyncio.create_subprocess_exec(
        FRAMELOOM,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def answered(deployment: Deployment, key: str, gateway: str = "gateway") -> int:
    """The status of a list of jobs, asked with this key."""
    async with (
        deployment.new_session(key) as http,
        http.get(deployment.url_of(gateway) + JOBS) as answer,
    ):
        return answer.status


async def listening(deployment: Deployment, *gateways: str) -> None:
    async with asyncio.timeout(60), aiohttp.ClientSession() as http:
        for gateway in gateways:
            while True:
                try:
                    async with http.get(deployment.url_of(gateway) + "/api/v1/health") as answer:
                        if answer.status == 200:
                            break
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.05)


async def test_the_first_start_shows_one_key_once(deployment: Deployment) -> None:
    for name in ("FRAMELOOM_AUTH_INITIAL_KEY", "FRAMELOOM_AUTH_SECRET"):
        del deployment.environment[name]
    gateways = ("gateway", "gateway-2")
    await deployment.start(*gateways)
    await listening(deployment, *gateways)
    logs = {name: deployment.log_of(name) for name in gateways}
    shown = set(KEY.findall("".join(logs.values())))
    assert len(shown) == 1
    (key,) = shown
    assert ["Authorization: Bearer" in log for log in logs.values()].count(True) == 1
    assert all("secret in the database" in log for log in logs.values())
    # No line of the log has it: it stands in the block alone.
    lines = [line for log in logs.values() for line in log.splitlines() if line.startswith("{")]
    assert lines
    assert not any(key in line for line in lines)
    for name in gateways:
        assert await answered(deployment, key, name) == 200
    assert await deployment.stop(*gateways) == [0, 0]
    await deployment.start("gateway")
    await listening(deployment, "gateway")
    assert await answered(deployment, key) == 200
    assert deployment.log_of("gateway").count(key) == logs["gateway"].count(key)


async def test_keys_are_made_rotated_and_revoked_by_the_command_line(deployment: Deployment) -> None:
    gateways = ("gateway", "gateway-2")
    await deployment.start(*gateways)
    await listening(deployment, *gateways)
    code, out, err = await frameloom(
        deployment, "keys", "create", "lab", "--tenant", "lab", "--scopes", "jobs:read"
    )
    assert code == 0, err
    key = out.strip()
    assert KEY.fullmatch(key)
    for name in gateways:
        assert await answered(deployment, key, name) == 200

    code, out, err = await frameloom(deployment, "keys", "list", "--json")
    assert code == 0, err
    listed: list[dict[str, Any]] = json.loads(out)["keys"]
    (row,) = [row for row in listed if row["tenant"] == "lab"]
    assert (row["prefix"], row["status"], row["scopes"]) == (key[:8], "active", ["jobs:read"])
    code, _, err = await frameloom(deployment, "keys", "list", key=key)
    assert code == 4
    assert "admin" in err

    code, out, err = await frameloom(deployment, "keys", "rotate", row["id"], "--overlap", "600")
    assert code == 0, err
    successor = out.strip()
    for text in (key, successor):
        assert await answered(deployment, text, "gateway-2") == 200

    code, _, err = await frameloom(deployment, "keys", "revoke", row["id"])
    assert code == 0, err
    assert await answered(deployment, key) == 401
    # The other gateway trusts what it has read for five seconds at most.
    async with asyncio.timeout(7):
        while await answered(deployment, key, "gateway-2") != 401:
            await asyncio.sleep(0.1)
    for name in gateways:
        assert await answered(deployment, successor, name) == 200


async def test_a_quota_holds_over_a_restart_and_room_comes_back(deployment: Deployment, video: Path) -> None:
    deployment.environment["FRAMELOOM_LIMIT_CONCURRENT_JOBS"] = "2"
    await deployment.start("gateway", "worker")  # no scheduler: the jobs stay pending
    await listening(deployment, "gateway")
    async with asyncio.timeout(60):
        # Offers come one by one.
        while not (await deployment.get("/api/v1/pipelines/scene_detection"))["enabled"]:
            await asyncio.sleep(0.1)
    first, _ = [await deployment.submit(video, "scene_detection") for _ in range(2)]
    before = await deployment.keys()

    async def refused() -> dict[str, Any] | None:
        """What a further job is refused with; None: it was accepted."""
        data = form(video, "scene_detection", None, None)
        async with deployment.http.post(deployment.base_url + JOBS, data=data) as answer:
            body: dict[str, Any] = await answer.json()
            if answer.status == 201:
                return None
            assert (answer.status, answer.headers["Retry-After"]) == (429, "10"), body
            return dict(body["error"])

    error = await refused()
    assert error is not None
    assert (error["code"], error["detail"]) == ("QUOTA_EXCEEDED", {"quota": "concurrent_jobs", "limit": 2})
    assert await deployment.stop("gateway") == [0]
    await deployment.start("gateway")
    await listening(deployment, "gateway")
    assert await refused() is not None
    assert await deployment.keys() == before
    async with deployment.http.post(f"{deployment.base_url}{JOBS}{first}/cancel") as answer:
        assert answer.status == 200
    async with asyncio.timeout(10):
        while await refused() is not None:
            await asyncio.sleep(0.2)


async def test_without_keys_all_may_come_but_a_wrong_key_is_refused(deployment: Deployment) -> None:
    deployment.environment["AUTH_REQUIRED"] = "false"
    await deployment.start("gateway")
    await listening(deployment, "gateway")
    async with aiohttp.ClientSession() as http, http.get(deployment.base_url + JOBS) as answer:
        assert answer.status == 200
    assert await answered(deployment, deployment.api_key) == 200
    assert await answered(deployment, "va_" + "A" * 43) == 401
