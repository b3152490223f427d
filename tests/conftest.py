"""Fixtures of the tests that cross services."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from support import grounds
from support.deployment import SERVICES, Deployment
from support.grounds import Ground, Grounds
from support.media import clip


@pytest.fixture(scope="session", autouse=True)
def _own_data_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Commands that the tests start see no data or key of the user who runs them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("share")))
        for name in ("FRAMELOOM_SERVER", "FRAMELOOM_API_KEY", "FRAMELOOM_DATA"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="session")
async def all_grounds(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Grounds]:
    """The grounds, opened as they are needed."""
    async with AsyncExitStack() as stack:
        yield Grounds(stack, tmp_path_factory)


@pytest.fixture(scope="session", params=grounds.NAMES)
async def ground(request: pytest.FixtureRequest, all_grounds: Grounds) -> Ground:
    """Three running servers, shared by all tests; each installation has its own names on them."""
    return await all_grounds.get(request.param)


@pytest.fixture(scope="session")
async def shared(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Deployment]:
    """A whole installation for tests that harm nobody."""
    deployment = Deployment(ground, tmp_path_factory.mktemp("shared"))
    try:
        await deployment.start(*SERVICES)
        await deployment.ready()
        yield deployment
    finally:
        await deployment.close()


@pytest.fixture
async def deployment(ground: Ground, tmp_path: Path) -> AsyncIterator[Deployment]:
    """An installation of the test's own, not started yet."""
    made = Deployment(ground, tmp_path)
    try:
        yield made
    finally:
        await made.close()


@pytest.fixture(scope="session")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny real video with one cut."""
    return clip(tmp_path_factory.mktemp("media") / "tiny clip.mp4")
