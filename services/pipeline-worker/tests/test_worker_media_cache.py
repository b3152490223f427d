"""The media cache: whole files only, fetched once, kept while in use, by whomever."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from worker_world import World

from frameloom.common.adapters.memory import MemoryObjectStore
from frameloom.common.documents import FailureCategory, MediaRef
from frameloom.common.errors import StorageUnavailableError
from frameloom.worker.errors import TaskError
from frameloom.worker.media_cache import MediaCache


class CountingStore(MemoryObjectStore):
    """Counts what is fetched, and may write a file without ever coming to its end."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.stuck: asyncio.Event | None = None
        self.failure: Exception | None = None

    async def fetch(self, key: str, path: Path) -> None:
        self.fetched.append(key)
        if self.failure is not None:
            path.write_bytes(b"ha")  # noqa: ASYNC240 - a few bytes, in a test
            raise self.failure
        await super().fetch(key, path)
        if self.stuck is not None:
            self.stuck.set()
            await asyncio.Event().wait()


@pytest.fixture
async def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.objects = CountingStore()
    return made


def cache(world: World, tmp_path: Path, limit: int = 10**9) -> MediaCache:
    return MediaCache(world.objects, tmp_path / "cache", limit)


def cached(tmp_path: Path) -> set[str]:
    return {path.name for path in (tmp_path / "cache").iterdir()}


async def read(cache: MediaCache, media: MediaRef) -> bytes:
    async with cache.held(media) as path:
        return path.read_bytes()


async def test_media_are_fetched_once_and_stay(world: World, tmp_path: Path) -> None:
    media = world.media("m", b"body")
    for _ in range(2):
        assert await read(cache(world, tmp_path), media) == b"body"
    assert world.objects.fetched == ["media/m"]
    assert cached(tmp_path) == {media.sha256}


async def test_many_who_want_the_same_at_once_share_one_fetch(world: World, tmp_path: Path) -> None:
    media = world.media("m", b"body")
    shared = cache(world, tmp_path)
    assert await asyncio.gather(*(read(shared, media) for _ in range(5))) == [b"body"] * 5
    assert len(world.objects.fetched) == 1


async def test_a_fetch_cut_short_is_not_taken_for_the_file(world: World, tmp_path: Path) -> None:
    """Not even when all of it had come, unchecked: a killed worker leaves what the next one finds."""
    media = world.media("m", b"body")
    world.objects.held[media.key] = (b"rot!", "video/mp4")
    world.objects.stuck = asyncio.Event()
    fetching = asyncio.create_task(read(cache(world, tmp_path), media))
    await world.objects.stuck.wait()
    found = cached(tmp_path)
    assert media.sha256 not in found
    fetching.cancel()
    await asyncio.wait({fetching})
    world.objects.stuck = None
    world.objects.held[media.key] = (b"body", "video/mp4")
    assert await read(cache(world, tmp_path), media) == b"body"


async def test_a_failed_fetch_leaves_nothing(world: World, tmp_path: Path) -> None:
    media = world.media("m", b"body")
    world.objects.failure = StorageUnavailableError("away")
    with pytest.raises(TaskError) as caught:
        await read(cache(world, tmp_path), media)
    assert caught.value.category is FailureCategory.STORAGE_ERROR
    assert cached(tmp_path) == set()


async def test_a_disk_that_is_full_is_told_as_a_storage_error(world: World, tmp_path: Path) -> None:
    world.objects.failure = OSError(28, "No space left on device")
    with pytest.raises(TaskError, match="No space left") as caught:
        await read(cache(world, tmp_path), world.media("m", b"body"))
    assert caught.value.category is FailureCategory.STORAGE_ERROR


async def test_media_that_are_not_what_was_uploaded_are_refused_and_not_kept(
    world: World, tmp_path: Path
) -> None:
    media = world.media("m", b"body")
    world.objects.held[media.key] = (b"other", "video/mp4")
    with pytest.raises(TaskError) as caught:
        await read(cache(world, tmp_path), media)
    assert caught.value.category is FailureCategory.STORAGE_ERROR
    assert cached(tmp_path) == set()


async def test_media_that_are_gone_are_told_as_missing(world: World, tmp_path: Path) -> None:
    media = world.media("m", b"body")
    world.objects.held.clear()
    with pytest.raises(TaskError) as caught:
        await read(cache(world, tmp_path), media)
    assert caught.value.category is FailureCategory.INPUT_MISSING


async def test_beyond_the_limit_the_least_recently_used_goes(world: World, tmp_path: Path) -> None:
    old, used, new = (world.media(name, name.encode() * 10) for name in "abc")
    small = cache(world, tmp_path, limit=25)
    for age, media in ((300, old), (200, used)):
        await read(small, media)
        os.utime(tmp_path / "cache" / media.sha256, (1, 10**9 - age))
    await read(small, old)  # now the other one is the oldest
    await read(small, new)
    assert cached(tmp_path) == {old.sha256, new.sha256}


async def test_what_is_in_use_stays_although_it_is_too_much(world: World, tmp_path: Path) -> None:
    one, two = world.media("one", b"1" * 10), world.media("two", b"2" * 10)
    small = cache(world, tmp_path, limit=5)
    async with small.held(one) as path:
        await read(small, two)
        assert path.read_bytes() == b"1" * 10
    assert cached(tmp_path) == set()


async def test_what_another_worker_of_the_machine_uses_stays(world: World, tmp_path: Path) -> None:
    one, two = world.media("one", b"1" * 10), world.media("two", b"2" * 10)
    async with cache(world, tmp_path, limit=5).held(one) as path:
        await read(cache(world, tmp_path, limit=5), two)
        assert path.read_bytes() == b"1" * 10


async def test_only_forsaken_halves_are_removed(world: World, tmp_path: Path) -> None:
    media = world.media("m", b"body")
    await read(cache(world, tmp_path), media)
    forsaken, fresh = tmp_path / "cache" / "x.1.part", tmp_path / "cache" / "x.2.part.etag.part.minio"
    for path in (forsaken, fresh):
        path.write_bytes(b"half" * 100)
    os.utime(forsaken, (1, 1))
    await read(cache(world, tmp_path, limit=5), media)
    assert fresh.exists(), "somebody may be fetching it now"
    assert not forsaken.exists()


async def test_a_folder_that_vanishes_does_not_harm_the_task(world: World, tmp_path: Path) -> None:
    async with cache(world, tmp_path).held(world.media("m", b"body")) as path:
        path.unlink()
        path.parent.rmdir()


async def test_the_exception_of_the_user_passes_through_and_lets_go(world: World, tmp_path: Path) -> None:
    media = world.media("m", b"1" * 10)
    small = cache(world, tmp_path, limit=5)
    with pytest.raises(KeyError):
        async with small.held(media):
            raise KeyError
    assert cached(tmp_path) == set()
