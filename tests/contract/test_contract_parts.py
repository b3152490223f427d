"""Objects in parts, and addresses to write to: the same promises in memory and on both stores."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta

import aiohttp
import pytest
from yarl import URL

from frameloom.common.adapters.memory.parts import MemoryPartedStore
from frameloom.common.adapters.s3_parts import S3PartedStore
from frameloom.common.clock import SystemClock
from frameloom.common.documents.upload import StoredPart
from frameloom.common.errors import ObjectNotFoundError, PartsLostError, PartsMismatchError
from frameloom.common.ports.parts import LEAST_PART_BYTES, PartedStore
from frameloom.common.settings import S3Settings
from support.grounds import Grounds


@pytest.fixture(params=["memory", "embedded", "kafka-minio"])
async def objects(request: pytest.FixtureRequest, all_grounds: Grounds) -> AsyncIterator[PartedStore]:
    if request.param == "memory":
        yield MemoryPartedStore()
        return
    ground = await all_grounds.get(request.param)
    settings = S3Settings(
        endpoint=ground.environment["FRAMELOOM_S3_ENDPOINT"],
        access_key=ground.environment["FRAMELOOM_S3_ACCESS_KEY"],
        secret_key=ground.environment["FRAMELOOM_S3_SECRET_KEY"],
        bucket=f"c{uuid.uuid4().hex[:10]}",
        secure=False,
    )
    async with S3PartedStore.connected(settings) as store:
        yield store


async def content(objects: PartedStore, key: str) -> bytes:
    return b"".join([block async for block in objects.read(key)])


async def missing(objects: PartedStore, key: str) -> bool:
    try:
        await objects.info(key)
    except ObjectNotFoundError:
        return True
    return False


async def sent(address: str, body: bytes) -> tuple[int, str]:
    """What a plain HTTP client without credentials gets for a PUT: the status and the ETag."""
    url = URL(address, encoded=True)
    async with aiohttp.ClientSession() as session, session.put(url, data=body) as answer:
        return answer.status, answer.headers.get("ETag", "")


async def test_parts_with_gaps_in_their_numbers_become_one_object(objects: PartedStore) -> None:
    bodies = {1: b"a" * LEAST_PART_BYTES, 4: b"b" * (LEAST_PART_BYTES + 1), 5: b"end"}
    store_id = await objects.begin_parts("whole", "video/mp4")
    parts = [await objects.put_part("whole", store_id, number, body) for number, body in bodies.items()]
    assert await missing(objects, "whole")
    await objects.join_parts("whole", store_id, parts, 2 * LEAST_PART_BYTES + 4)
    assert await content(objects, "whole") == b"".join(bodies.values())
    assert (await objects.info("whole")).content_type == "video/mp4"
    with pytest.raises(PartsLostError):
        await objects.put_part("whole", store_id, 6, b"late")


async def test_a_part_that_is_sent_again_counts_and_one_that_is_not_named_does_not(
    objects: PartedStore,
) -> None:
    store_id = await objects.begin_parts("again", "video/mp4")
    await objects.put_part("again", store_id, 1, b"x" * LEAST_PART_BYTES)
    first = await objects.put_part("again", store_id, 1, b"y" * LEAST_PART_BYTES)
    await objects.put_part("again", store_id, 2, b"not named")
    last = await objects.put_part("again", store_id, 3, b"z")
    await objects.join_parts("again", store_id, [first, last], LEAST_PART_BYTES + 1)
    assert await content(objects, "again") == b"y" * LEAST_PART_BYTES + b"z"


async def test_parts_that_do_not_fit_are_refused_and_can_be_mended(objects: PartedStore) -> None:
    store_id = await objects.begin_parts("mended", "video/mp4")
    good = await objects.put_part("mended", store_id, 1, b"y" * LEAST_PART_BYTES)
    end = await objects.put_part("mended", store_id, 2, b"z")
    behind = await objects.put_part("mended", store_id, 3, b"z")
    for wrong in (
        [],
        [StoredPart(number=1, etag="0" * 32)],
        [StoredPart(number=7, etag=good.etag)],
        [good, end, behind],
        [end, good],
    ):
        with pytest.raises(PartsMismatchError):
            await objects.join_parts("mended", store_id, wrong, LEAST_PART_BYTES)
    assert await missing(objects, "mended")
    with pytest.raises(PartsMismatchError):
        await objects.join_parts("mended", store_id, [good], LEAST_PART_BYTES + 1)
    await objects.join_parts("mended", store_id, [good], LEAST_PART_BYTES)
    assert await content(objects, "mended") == b"y" * LEAST_PART_BYTES


async def test_what_is_dropped_is_gone(objects: PartedStore) -> None:
    store_id = await objects.begin_parts("dropped", "video/mp4")
    part = await objects.put_part("dropped", store_id, 1, b"x")
    await objects.drop_parts("dropped", store_id)
    await objects.drop_parts("dropped", store_id)
    with pytest.raises(PartsLostError):
        await objects.join_parts("dropped", store_id, [part], 1)
    assert await missing(objects, "dropped")


async def test_parts_come_straight_from_a_client(objects: PartedStore) -> None:
    store_id = await objects.begin_parts("direct", "video/mp4")
    bodies = [b"a" * LEAST_PART_BYTES, b"b" * 10]
    parts = []
    for number, body in enumerate(bodies, 1):
        address = await objects.presigned_part("direct", store_id, number, seconds=60)
        if address is None:
            assert isinstance(objects, MemoryPartedStore)
            return
        status, etag = await sent(address, body)
        assert status == 200
        parts.append(StoredPart(number=number, etag=etag))
        assert (await sent(address.replace("partNumber=", "partNumber=1"), body))[0] == 403
    await objects.join_parts("direct", store_id, parts, LEAST_PART_BYTES + 10)
    assert await content(objects, "direct") == b"".join(bodies)


async def test_an_object_comes_straight_from_a_client_while_the_address_works(objects: PartedStore) -> None:
    address = await objects.presigned_put("put", seconds=2)
    if address is None:
        assert isinstance(objects, MemoryPartedStore)
        return
    assert (await sent(address, b"here"))[0] == 200
    assert await content(objects, "put") == b"here"
    assert (await sent(address.replace("/put?", "/other?"), b"no"))[0] == 403
    assert (await sent(address.partition("?")[0], b"no"))[0] == 403
    async with asyncio.timeout(10):
        while (await sent(address, b"late"))[0] == 200:
            await asyncio.sleep(0.2)
    assert (await sent(address, b"later"))[0] == 403


async def test_what_was_begun_and_never_joined_is_found(
    objects: PartedStore,
) -> None:
    store_id = await objects.begin_parts("left/behind", "video/mp4")
    await objects.put_part("left/behind", store_id, 1, b"x")
    now = SystemClock().now()
    assert await objects.unjoined(now - timedelta(hours=1)) == []
    assert await objects.unjoined(now + timedelta(hours=1)) == [("left/behind", store_id)]
    await objects.drop_parts("left/behind", store_id)
    assert await objects.unjoined(now + timedelta(hours=1)) == []
