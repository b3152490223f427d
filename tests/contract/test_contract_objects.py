"""The object store: the same promises in memory, on the embedded store and on MinIO."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from frameloom.common.adapters.memory import MemoryObjectStore
from frameloom.common.adapters.s3 import S3ObjectStore
from frameloom.common.errors import ObjectChangedError, ObjectNotFoundError, StorageUnavailableError
from frameloom.common.ports.objects import ObjectStore
from frameloom.common.settings import S3Settings
from support.grounds import Grounds

MIB = 1024 * 1024


def settings_of(environment: dict[str, str], bucket: str) -> S3Settings:
    return S3Settings(
        endpoint=environment["FRAMELOOM_S3_ENDPOINT"],
        access_key=environment["FRAMELOOM_S3_ACCESS_KEY"],
        secret_key=environment["FRAMELOOM_S3_SECRET_KEY"],
        bucket=bucket,
        secure=False,
    )


@pytest.fixture(params=["memory", "embedded", "kafka-minio"])
async def objects(request: pytest.FixtureRequest, all_grounds: Grounds) -> AsyncIterator[ObjectStore]:
    if request.param == "memory":
        yield MemoryObjectStore()
        return
    ground = await all_grounds.get(request.param)
    async with S3ObjectStore.connected(
        settings_of(dict(ground.environment), f"c{uuid.uuid4().hex[:10]}")
    ) as store:
        yield store


async def content(objects: ObjectStore, key: str, **window: Any) -> bytes:
    return b"".join([block async for block in objects.read(key, **window)])


async def stream(*blocks: bytes) -> AsyncIterator[bytes]:
    for block in blocks:
        yield block


async def test_what_was_put_comes_back_whole_and_by_range(objects: ObjectStore) -> None:
    await objects.put("a/b", b"0123456789", "text/plain")
    assert await content(objects, "a/b") == b"0123456789"
    assert await content(objects, "a/b", offset=3, length=4) == b"3456"
    assert await content(objects, "a/b", offset=8) == b"89"
    info = await objects.info("a/b")
    assert (info.key, info.size_bytes, info.content_type) == ("a/b", 10, "text/plain")


async def test_what_is_not_there_is_told_apart(objects: ObjectStore, tmp_path: Path) -> None:
    with pytest.raises(ObjectNotFoundError):
        await objects.info("nothing")
    with pytest.raises(ObjectNotFoundError):
        await content(objects, "nothing")
    with pytest.raises(ObjectNotFoundError):
        await objects.fetch("nothing", tmp_path / "file")
    assert not (tmp_path / "file").exists()


@pytest.mark.parametrize("size", [0, 1, MIB - 1, 8 * MIB, 8 * MIB + 1, 20 * MIB])
async def test_a_stream_of_any_length_is_stored(objects: ObjectStore, size: int) -> None:
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    blocks = [body[i : i + 60_000] for i in range(0, size, 60_000)]
    assert await objects.put_stream("streamed", stream(*blocks), "video/mp4") == size
    assert await content(objects, "streamed") == body


@pytest.mark.parametrize("before", [0, 3, 20])
async def test_a_stream_that_breaks_leaves_nothing(objects: ObjectStore, before: int) -> None:
    class BrokenError(Exception):
        pass

    async def broken() -> AsyncIterator[bytes]:
        for _ in range(before):
            yield b"z" * MIB
        raise BrokenError

    with pytest.raises(BrokenError):
        await objects.put_stream("broken", broken(), "video/mp4")
    with pytest.raises(ObjectNotFoundError):
        await objects.info("broken")
    assert await objects.keys("broken") == []


async def test_files_go_and_come(objects: ObjectStore, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"q" * (6 * MIB))
    await objects.put_file("file", source, "application/json")
    await objects.fetch("file", tmp_path / "fetched")
    assert (tmp_path / "fetched").read_bytes() == source.read_bytes()


async def test_keys_are_listed_in_order_and_removed(objects: ObjectStore) -> None:
    for key in ("x/2", "x/10", "x/1/deep", "y"):
        await objects.put(key, b"1", "text/plain")
    assert await objects.keys("x/") == ["x/1/deep", "x/10", "x/2"]
    await objects.delete(["x/2", "x/never-there", "x/1/deep"])
    assert await objects.keys("") == ["x/10", "y"]
    await objects.delete([])


@pytest.mark.parametrize("size", [0, 7, 20 * MIB])
async def test_an_object_is_copied_under_another_type(objects: ObjectStore, size: int) -> None:
    await objects.put_stream("from/a", stream(b"c" * size), "text/html")
    await objects.copy("from/a", "to/a", "video/mp4", etag=(await objects.info("from/a")).etag)
    assert await content(objects, "to/a") == b"c" * size
    assert (await objects.info("to/a")).content_type == "video/mp4"
    assert (await objects.info("from/a")).content_type == "text/html"
    with pytest.raises(ObjectNotFoundError):
        await objects.copy("from/nowhere", "to/b", "video/mp4")


async def test_an_object_that_was_changed_is_noticed(objects: ObjectStore) -> None:
    await objects.put("a", b"before", "text/plain")
    etag = (await objects.info("a")).etag
    assert await content(objects, "a", offset=2, length=2, etag=etag) == b"fo"
    await objects.put("a", b"behind", "text/plain")
    with pytest.raises(ObjectChangedError):
        await content(objects, "a", etag=etag)
    with pytest.raises(ObjectChangedError):
        await objects.copy("a", "b", "text/plain", etag=etag)
    assert await objects.keys("b") == []


@pytest.mark.parametrize("name", ["embedded", "kafka-minio"])
async def test_wrong_keys_are_refused(all_grounds: Grounds, name: str) -> None:
    ground = await all_grounds.get(name)
    wrong = {**ground.environment, "FRAMELOOM_S3_SECRET_KEY": "wrong-wrong-wrong"}
    settings = settings_of(wrong, "whatever").model_copy(update={"connect_timeout_seconds": 0.2})
    with pytest.raises(StorageUnavailableError, match="refused"):
        async with S3ObjectStore.connected(settings):
            pass


async def fetched(address: str) -> tuple[int, bytes, Mapping[str, str]]:
    """What a plain HTTP client without credentials gets."""
    async with aiohttp.ClientSession() as session, session.get(URL(address, encoded=True)) as answer:
        return answer.status, await answer.read(), answer.headers


async def test_an_address_gives_the_object_to_anybody_as_an_attachment(objects: ObjectStore) -> None:
    await objects.put("a/b ä", b"0123456789", "text/plain")
    disposition = "attachment; filename=\"_.json\"; filename*=UTF-8''%C3%A4.json"
    address = await objects.presigned_get(
        "a/b ä", seconds=60, disposition=disposition, content_type="application/json"
    )
    if isinstance(objects, MemoryObjectStore):
        assert address is None
        return
    assert address is not None
    status, body, headers = await fetched(address)
    assert (status, body) == (200, b"0123456789")
    assert headers["Content-Disposition"] == disposition
    assert headers["Content-Type"] == "application/json"
    for part, other in (("attachment", "inline"), ("application%2Fjson", "text%2Fhtml"), ("=60", "=600")):
        assert part in address
        status, _, _ = await fetched(address.replace(part, other, 1))
        assert status == 403
    status, _, _ = await fetched(address.partition("?")[0])
    assert status == 403
    status, _, _ = await fetched(address.replace("a/b", "a/c", 1))
    assert status in {403, 404}


async def test_an_address_ends(objects: ObjectStore) -> None:
    await objects.put("ends", b"1", "text/plain")
    address = await objects.presigned_get("ends", seconds=1, disposition="inline", content_type="text/plain")
    if address is None:
        assert isinstance(objects, MemoryObjectStore)
        return
    async with asyncio.timeout(10):
        while (await fetched(address))[0] == 200:
            await asyncio.sleep(0.1)
    assert (await fetched(address))[0] == 403


@pytest.mark.parametrize("name", ["embedded", "kafka-minio"])
async def test_addresses_lead_to_the_public_endpoint_and_nobody_is_asked(
    all_grounds: Grounds, name: str
) -> None:
    ground = await all_grounds.get(name)
    inside = settings_of(dict(ground.environment), f"c{uuid.uuid4().hex[:10]}")
    port = inside.endpoint.rpartition(":")[2]
    settings = S3Settings.model_validate(
        {**inside.model_dump(), "public_endpoint": f"http://localhost:{port}/"}
    )
    async with S3ObjectStore.connected(settings) as objects:
        await objects.put("k", b"here", "text/plain")
        address = await objects.presigned_get(
            "k", seconds=60, disposition="inline", content_type="text/plain"
        )
        assert address is not None
        assert address.startswith(f"http://localhost:{port}/{settings.bucket}/k?")
        assert (await fetched(address))[:2] == (200, b"here")
    elsewhere = settings.model_copy(update={"public_endpoint": "https://nobody.invalid"})
    async with S3ObjectStore.connected(elsewhere) as objects:
        address = await objects.presigned_get(
            "k", seconds=60, disposition="inline", content_type="text/plain"
        )
        assert address is not None
        assert address.startswith(f"https://nobody.invalid/{settings.bucket}/k?")


async def test_folders_are_told_without_what_is_in_them(objects: ObjectStore) -> None:
    for key in (
        "media/b/source",
        "media/a/source",
        "media/a/more/deep",
        "media/alone",
        "mediab/c/x",
        "x/a/y",
    ):
        await objects.put(key, b"1", "text/plain")
    assert await objects.folders("media/") == ["media/a/", "media/b/"]
    assert await objects.folders("media/a/") == ["media/a/more/"]
    assert await objects.folders("nothing/") == []
