"""The store of uploads in parts: the same promises in memory and on the database."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from frameloom.common.adapters.memory import MemoryUploadStore
from frameloom.common.adapters.mongo import Mongo, MongoUploadStore
from frameloom.common.cas import ContendedError, transact
from frameloom.common.clock import SystemClock, new_id
from frameloom.common.documents import Refusal, StoredPart, StoredPiece, Upload, UploadState, UploadWay
from frameloom.common.machines.transition import Refused
from frameloom.common.machines.upload import advance, complete, examine, receive, refuse, release, take
from frameloom.common.ports.stores import OpenUploads, UploadStore
from frameloom.common.settings import MongoSettings
from support.grounds import Grounds

CLOCK = SystemClock()


@pytest.fixture(params=["memory", "embedded"])
async def store(request: pytest.FixtureRequest, all_grounds: Grounds) -> AsyncIterator[UploadStore]:
    if request.param == "memory":
        yield MemoryUploadStore(CLOCK)
        return
    ground = await all_grounds.get(request.param)
    settings = MongoSettings(
        uri=ground.environment["FRAMELOOM_MONGO_URI"], database=f"u{uuid.uuid4().hex[:10]}"
    )
    async with Mongo.connected(settings) as mongo:
        made = MongoUploadStore(mongo)
        await made.create_indexes()
        yield made
        await mongo.drop()


def upload(**changes: Any) -> Upload:
    made = Upload(
        id=new_id(),
        tenant="a",
        account="k",
        way=UploadWay.TUS,
        filename="ä.mp4",
        length_bytes=100,
        fields={"config": "{}"},
        store_id="s",
        part_bytes=10,
        created_at=CLOCK.now(),
        expires_at=CLOCK.now() + timedelta(hours=1),
    )
    return made.model_copy(update=changes)


async def taken(store: UploadStore, upload_id: str, holder: str, lease_seconds: float = 60) -> Upload | None:
    try:
        return await transact(store, upload_id, lambda current: take(current, holder, lease_seconds))
    except (Refused, ContendedError):
        return None


async def test_an_upload_goes_its_way(store: UploadStore) -> None:
    made = upload()
    await store.insert(made)
    assert await store.get(made.id) == made
    held = await taken(store, made.id, "me")
    assert held is not None
    assert held.lease_until is not None
    assert CLOCK.now() < held.lease_until < CLOCK.now() + timedelta(seconds=120)
    parts = (StoredPart(number=1, etag="e1"), StoredPart(number=2, etag="e2"))
    pieces = (StoredPiece(name="p", size_bytes=5),)
    for change in (
        lambda u: advance(u, "me", parts=parts, pieces=pieces, offset_bytes=25, lease_seconds=60),
        lambda u: advance(
            u, "me", parts=(StoredPart(number=3, etag="e3"),), pieces=(), offset_bytes=100, lease_seconds=60
        ),
        lambda u: receive(u, "me", 60),
        lambda u: examine(u, "me", "job", 60),
        lambda u: complete(u, "me", "job"),
    ):
        before = await store.get(made.id)
        assert before is not None
        after = await store.apply(change(before))
        assert after is not None
        assert await store.get(made.id) == after
    assert (after.state, after.job_id, after.holder) == (UploadState.COMPLETED, "job", None)
    assert await taken(store, made.id, "you") is None
    await store.delete(made.id)
    await store.delete(made.id)
    assert await store.get(made.id) is None


async def test_of_many_that_take_it_one_has_it_until_its_lease_ends(store: UploadStore) -> None:
    made = upload()
    await store.insert(made)
    won = [one for one in await asyncio.gather(*(taken(store, made.id, f"h{n}") for n in range(6))) if one]
    assert len(won) == 1
    holder = won[0].holder
    assert holder is not None
    assert await store.apply(release(won[0], holder)) is not None
    short = await taken(store, made.id, "short", 0.05)
    assert short is not None
    assert short.next_part == 1
    async with asyncio.timeout(10):
        while (other := await taken(store, made.id, "other")) is None:
            await asyncio.sleep(0.02)
    assert (other.holder, other.next_part) == ("other", 2)
    # Who lost it writes nothing more.
    late = advance(short, "short", parts=(), pieces=(), offset_bytes=10, lease_seconds=60)
    assert await store.apply(late) is None
    with pytest.raises(Refused):
        advance(other, "short", parts=(), pieces=(), offset_bytes=10, lease_seconds=60)


async def test_what_is_left_is_found(store: UploadStore) -> None:
    free = upload(state=UploadState.RECEIVED)
    ended = upload(state=UploadState.RECEIVED, holder="dead", lease_until=CLOCK.now() - timedelta(seconds=60))
    alive = upload(
        state=UploadState.RECEIVED, holder="alive", lease_until=CLOCK.now() + timedelta(seconds=60)
    )
    expired = upload(expires_at=CLOCK.now() - timedelta(seconds=60))
    for one in (free, ended, alive, expired, upload()):
        await store.insert(one)
    assert {one.id for one in await store.left_unexamined(10)} == {free.id, ended.id}
    assert len(await store.left_unexamined(1)) == 1
    assert [one.id for one in await store.expired(CLOCK.now(), 10)] == [expired.id]


async def test_what_is_not_over_is_counted(store: UploadStore) -> None:
    refusal = Refusal(code="C", status=400, message="m", detail={"limit": 1})
    over = refuse(upload(holder="me"), "me", refusal).after
    for one in (upload(), upload(state=UploadState.RECEIVED, length_bytes=50), over, upload(account="l")):
        await store.insert(one)
    await store.insert(upload(account=None))
    await store.insert(upload(tenant="b"))
    assert await store.get(over.id) == over
    assert await store.open_of("k", "a") == OpenUploads(2, 150)
    assert await store.open_of(None, "a") == OpenUploads(1, 100)
    assert await store.open_of("nobody", "a") == OpenUploads(0, 0)
