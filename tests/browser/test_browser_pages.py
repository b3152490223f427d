"""Our pages in a real browser: they work, and ask nobody but the gateway for anything.

Needs Debian's ``chromium`` and ``chromium-driver``, or their like. ``FRAMELOOM_TEST_VIEWER_DIR`` may name a
real copy of video-annotation-viewer built with ``--base=/viewer/``; without it only our stand-in for it is
looked at.
``FRAMELOOM_TEST_SCREENSHOTS`` may name a folder for pictures.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest
from selenium.webdriver.support.ui import WebDriverWait

from support.browser import CHROMIUM, DRIVER, Browser, chromium
from support.deployment import Deployment
from support.grounds import Ground, Grounds

pytestmark = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None, reason="chromium and chromedriver are not installed here"
)
STAND_IN = Path(__file__).parent / "viewer_build"
TOKEN, URL = "videoannotator_api_token", "videoannotator_api_url"


@pytest.fixture(scope="module")
async def ground(all_grounds: Grounds) -> Ground:
    """One ground is enough: no page depends on what is behind the gateway."""
    return await all_grounds.get("embedded")


@pytest.fixture(scope="module")
async def site(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Deployment]:
    """A gateway with our stand-in for the viewer."""
    settings = {"FRAMELOOM_GATEWAY_VIEWER_DIR": str(STAND_IN)}
    deployment = Deployment(ground, tmp_path_factory.mktemp("site"), settings)
    try:
        await deployment.start("gateway")
        await _answers(deployment)
        yield deployment
    finally:
        await deployment.close()


async def _answers(deployment: Deployment) -> None:
    async with asyncio.timeout(60):
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


async def _link(site: Deployment) -> str:
    async with site.http.post(f"{site.base_url}/api/v1/viewer/connect") as answer:
        assert answer.status == 200
        return site.base_url + str((await answer.json())["url"])


async def _looked(browser: Browser, url: str, *selectors: str) -> list[str]:
    """Opens a page, and says what the elements say; the browser is driven on a thread of its own."""

    def look() -> list[str]:
        browser.open(url)
        return [browser.text_of(selector) for selector in selectors]

    return await asyncio.to_thread(look)


@pytest.mark.parametrize(
    ("path", "selector", "words"),
    [
        ("/docs", "#swagger-ui .opblock-tag-section", "jobs"),
        ("/redoc", "#redoc h1", "Frameloom API"),
    ],
)
async def test_the_pages_of_the_api(
    site: Deployment, browser: Browser, path: str, selector: str, words: str
) -> None:
    (said,) = await _looked(browser, site.base_url + path, selector)
    assert words in said
    await asyncio.to_thread(browser.picture, path.strip("/"))
    assert browser.outside(site.base_url) == []
    assert browser.complaints() == []


async def test_a_browser_is_connected_and_the_viewer_works(site: Deployment, browser: Browser) -> None:
    link = await _link(site)
    said = await _looked(browser, link, "#done", "#page", "#jobs", "#blob", "#worker", "#wasm")
    assert said == ["yes", "home", "0 in all", "3 x 2", "42", "compiled"]
    await asyncio.to_thread(browser.picture, "viewer")
    assert browser.driver.current_url == f"{site.base_url}/viewer/"
    key = browser.stored(TOKEN)
    assert key is not None
    assert key.startswith("va_")
    assert key != site.api_key
    assert browser.stored(URL) == site.base_url
    assert browser.outside(site.base_url) == []
    assert browser.complaints() == []

    said = await _looked(browser, f"{site.base_url}/viewer/create/jobs/0198-x", "#done", "#page", "#jobs")
    assert said == ["yes", "create/jobs/0198-x", "0 in all"]


async def test_nothing_of_the_link_stays_in_the_history(site: Deployment, browser: Browser) -> None:
    await _looked(browser, f"{site.base_url}/viewer/first", "#done")
    await _looked(browser, await _link(site), "#done")

    def back() -> str:
        # The connecting page gave its place to the viewer, so the one before is the first.
        browser.driver.back()
        wait = WebDriverWait(browser.driver, 30)
        wait.until(lambda driver: "token" in driver.current_url or driver.current_url.endswith("/first"))
        return browser.driver.current_url

    assert await asyncio.to_thread(back) == f"{site.base_url}/viewer/first"


async def test_a_link_connects_once(site: Deployment, browser: Browser) -> None:
    link = await _link(site)
    await _looked(browser, link, "#done")
    before = browser.stored(TOKEN)
    said = await _looked(browser, f"{link}&again", "main.bad h1", "main.bad p")
    assert said[0] == "Not connected"
    assert said[1].startswith("This link has been used already.")
    await asyncio.to_thread(browser.picture, "connect-used")
    assert browser.stored(TOKEN) == before
    assert "token" not in browser.driver.current_url


async def test_the_originals_link_with_the_key_itself_works(site: Deployment, browser: Browser) -> None:
    said = await _looked(browser, f"{site.base_url}/viewer-connect?token={site.api_key}", "#done", "#jobs")
    assert said == ["yes", "0 in all"]
    assert browser.stored(TOKEN) == site.api_key


@pytest.mark.parametrize("token", ["va_" + "x" * 43, "nonsense"])
async def test_what_does_not_open_is_not_kept(site: Deployment, browser: Browser, token: str) -> None:
    said = await _looked(
        browser, f"{site.base_url}/viewer-connect?token={token}", "main.bad h1", "main.bad p"
    )
    assert said[0] == "Not connected"
    assert said[1].startswith("Invalid or expired token.")
    assert browser.stored(TOKEN) is None
    assert browser.driver.current_url == f"{site.base_url}/viewer-connect"


async def test_a_link_without_a_token_says_so(site: Deployment, browser: Browser) -> None:
    said = await _looked(browser, f"{site.base_url}/viewer-connect", "main.bad h1")
    assert said == ["Nothing to connect with"]


async def test_at_localhost_the_viewer_finds_what_was_stored(site: Deployment, browser: Browser) -> None:
    link = (await _link(site)).replace("127.0.0.1", "localhost")
    said = await _looked(browser, link, "#done", "#jobs")
    assert said == ["yes", "0 in all"]
    assert browser.driver.current_url == f"{site.base_url}/viewer/"
    assert browser.complaints() == []


async def test_the_viewer_can_reach_nobody_else(site: Deployment, browser: Browser) -> None:
    (said,) = await _looked(browser, f"{site.base_url}/viewer/outside", "#outside")
    assert said.startswith("failed:")
    assert browser.outside(site.base_url) == []  # what the policy forbids is not even asked for
    assert any("Content Security Policy" in complaint for complaint in browser.complaints())


@pytest.mark.skipif(
    "FRAMELOOM_TEST_VIEWER_DIR" not in os.environ, reason="FRAMELOOM_TEST_VIEWER_DIR names no built viewer"
)
async def test_a_real_viewer_loads_and_asks_nobody_else(
    ground: Ground, tmp_path: Path, browser: Browser
) -> None:
    settings = {"FRAMELOOM_GATEWAY_VIEWER_DIR": os.environ["FRAMELOOM_TEST_VIEWER_DIR"]}
    deployment = Deployment(ground, tmp_path, settings)
    try:
        await deployment.start("gateway")
        await _answers(deployment)
        assert await _looked(browser, await _link(deployment), "#root")
        await _looked(browser, f"{deployment.base_url}/viewer/create/jobs", "#root")
        await asyncio.to_thread(browser.picture, "real-viewer")
        assert browser.outside(deployment.base_url) == []
    finally:
        await deployment.close()
