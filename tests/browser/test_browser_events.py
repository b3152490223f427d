"""Live events in a real browser, listened to as video-annotation-viewer listens: EventSource and a token.

Needs Debian's ``chromium`` and ``chromium-driver``, or their like.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from support.browser import CHROMIUM, DRIVER, Browser, chromium
from support.deployment import Deployment
from support.lives import Lives

pytestmark = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None, reason="chromium and chromedriver are not installed here"
)
WAIT = 60.0
LISTEN = """
window.heard = [];
const source = new EventSource(arguments[0]);
const note = name => event => window.heard.push([name, event.lastEventId, JSON.parse(event.data)]);
source.onmessage = note("message");
for (const name of ["job.update", "job.log", "job.complete", "job.error", "job.cancelled"]) {
  source.addEventListener(name, note(name));
}
"""
SOCKET = """
window.heard = [];
const socket = new WebSocket(arguments[0]);
socket.onmessage = event => {
  const told = JSON.parse(event.data);
  window.heard.push([told.event, told.id, told.data]);
};
socket.onclose = event => window.heard.push(["closed", null, {code: event.code, reason: event.reason}]);
"""


@pytest.fixture
async def site(deployment: Deployment) -> Deployment:
    await deployment.start("gateway")
    await answering(deployment)
    return deployment


async def answering(deployment: Deployment) -> None:
    async with asyncio.timeout(WAIT):
        while True:
            try:
                await deployment.get("/api/v1/health")
            except aiohttp.ClientError:
                await asyncio.sleep(0.05)
            else:
                return


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    with chromium(tmp_path / "profile") as opened:
        yield opened


async def token(site: Deployment, **body: Any) -> str:
    async with site.http.post(f"{site.base_url}/api/v1/events/token", json=body) as answer:
        assert answer.status == 200
        return str((await answer.json())["token"])


async def run(browser: Browser, site: Deployment, script: str, url: str) -> None:
    """Runs a script on a page of the gateway."""

    def do() -> None:
        browser.open(f"{site.base_url}/docs")
        browser.driver.execute_script(script, url)

    await asyncio.to_thread(do)


async def heard(browser: Browser, enough: Callable[[list[list[Any]]], bool]) -> list[list[Any]]:
    """What the script has heard, as soon as it is enough."""
    async with asyncio.timeout(WAIT):
        while True:
            found = await asyncio.to_thread(browser.driver.execute_script, "return window.heard")
            if enough(found):
                return list(found)
            await asyncio.sleep(0.05)


async def test_an_event_source_hears_a_job_through_a_restart_of_the_gateway(
    site: Deployment, browser: Browser
) -> None:
    async with Lives.on(site) as lives:
        life = await lives.begin()
        text = await token(site, job_id=life.id, ttl_seconds=600)
        await run(browser, site, LISTEN, f"/api/v1/events/stream?token={text}&job_id={life.id}")
        await life.grow(3)
        await heard(browser, lambda found: found[-1:] != [] and found[-1][1] == life.ids[-1])
        await site.kill("gateway")
        await life.grow(3)
        await site.start("gateway")
        await answering(site)
        await life.end()
        found = await heard(browser, lambda found: found[-1][0] == "job.complete")
    first = found[0]
    assert (first[0], first[2]["type"]) == ("message", "connected")
    # By name and flat, as the viewer reads them; over the restart each event once. A browser repeats the last
    # id where a message has none.
    told = [(name, event_id) for name, event_id, _ in found if name != "message"]
    assert list(dict.fromkeys(event_id for _, event_id in told if event_id)) == life.ids
    tasks = [event for event in life.job.events if event.type.startswith("task.")]
    assert [name for name, _ in told].count("job.log") == len(tasks)
    assert {name for name, _ in told} == {"job.update", "job.log", "job.complete"}
    assert all(data["job_id"] == life.id for name, _, data in found if name != "message")
    assert found[-1][2]["progress"] == 100
    assert browser.outside(site.base_url) == []


async def test_a_websocket_in_a_page_of_ours(site: Deployment, browser: Browser) -> None:
    async with Lives.on(site) as lives:
        life = await lives.begin()
        text = await token(site)
        base = site.base_url.replace("http", "ws", 1)
        url = f"{base}/api/v1/events/ws?token={text}&job_id={life.id}&close_on_end=true&format=events"
        await run(browser, site, SOCKET, url)
        await life.end()
        found = await heard(browser, lambda found: found[-1:] != [] and found[-1][0] == "closed")
        assert [event_id for _, event_id, _ in found if event_id] == life.ids
        assert found[-1][2] == {"code": 1000, "reason": "The job is over"}

        await run(browser, site, SOCKET, f"{base}/api/v1/events/ws?token=wrong")
        found = await heard(browser, lambda found: found[-1:] != [] and found[-1][0] == "closed")
        assert found[-1][2]["code"] == 4401
