"""The stores of API keys and of the server's secrets: the same promises in memory and on the database."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import pytest

from frameloom.common.adapters.memory import MemoryKeyStore, MemorySecretStore
from frameloom.common.adapters.mongo import Mongo, MongoKeyStore, MongoSecretStore
from frameloom.common.cas import transact
from frameloom.common.clock import SystemClock, new_id
from frameloom.common.documents import ApiKey, KeyLimits
from frameloom.common.machines.key import replace, revoke
from frameloom.common.machines.transition import Refused
from frameloom.common.ports.stores import KeyStore, SecretStore
from frameloom.common.settings import MongoSettings
from support.grounds import Grounds

CLOCK = SystemClock()


@dataclass
class Stores:
    keys: KeyStore
    secrets: SecretStore


@pytest.fixture(params=["memory", "embedded"])
async def stores(request: pytest.FixtureRequest, all_grounds: Grounds) -> AsyncIterator[Stores]:
    if request.param == "memory":
        yield Stores(MemoryKeyStore(CLOCK), MemorySecretStore())
        return
    ground = await all_grounds.get(request.param)
    settings = MongoSettings(
        uri=ground.environment["FRAMELOOM_MONGO_URI"], database=f"k{uuid.uuid4().hex[:10]}"
    )
    async with Mongo.connected(settings) as mongo:
        keys = MongoKeyStore(mongo)
        await keys.create_indexes()
        yield Stores(keys, MongoSecretStore(mongo))
        await mongo.drop()


def key(digest: str = "h1", tenant: str = "a", **changes: object) -> ApiKey:
    made = ApiKey(
        id=new_id(),
        hash=digest,
        prefix="va_abcde",
        name="a key",
        tenant=tenant,
        scopes=("jobs:read", "jobs:write"),
        created_at=CLOCK.now(),
        expires_at=CLOCK.now() + timedelta(days=365),
        limits=KeyLimits(concurrent_jobs=3),
    )
    return made.model_copy(update=changes)


async def test_a_key_comes_back_as_it_was(stores: Stores) -> None:
    assert not await stores.keys.any()
    wanted = key()
    assert await stores.keys.insert(wanted)
    assert await stores.keys.any()
    assert await stores.keys.get(wanted.id) == wanted
    assert await stores.keys.find(["none", "h1"]) == wanted
    assert await stores.keys.find(["none"]) is None
    assert await stores.keys.get("nobody") is None


async def test_neither_id_nor_hash_is_taken_twice(stores: Stores) -> None:
    first = key()
    assert await stores.keys.insert(first)
    assert not await stores.keys.insert(key())
    assert not await stores.keys.insert(key("h2", id=first.id))
    assert await stores.keys.find(["h2"]) is None


async def test_of_many_inserts_of_one_id_one_wins(stores: Stores) -> None:
    tries = [key(f"h{number}", id="first") for number in range(8)]
    won = await asyncio.gather(*(stores.keys.insert(one) for one in tries))
    assert won.count(True) == 1
    stored = await stores.keys.get("first")
    assert stored == tries[won.index(True)]


async def test_a_tenant_sees_its_own_keys_oldest_first(stores: Stores) -> None:
    now = CLOCK.now()
    made = [key(f"h{n}", tenant, created_at=now + timedelta(seconds=-n)) for n, tenant in enumerate("aba")]
    for one in made:
        await stores.keys.insert(one)
    assert await stores.keys.of_tenant("a") == [made[2], made[0]]
    assert await stores.keys.of_tenant(None) == [made[2], made[1], made[0]]
    assert await stores.keys.of_tenant("c") == []


async def test_a_change_of_an_older_revision_is_not_written(stores: Stores) -> None:
    wanted = key()
    await stores.keys.insert(wanted)
    change = revoke(wanted, CLOCK.now())
    assert await stores.keys.apply(change) == change.after
    assert await stores.keys.apply(change) is None


async def test_of_two_rotations_one_wins(stores: Stores) -> None:
    wanted = key()
    await stores.keys.insert(wanted)

    async def rotate(successor: str) -> ApiKey | None:
        try:
            return await transact(
                stores.keys, wanted.id, lambda current: replace(current, successor, CLOCK.now(), 60)
            )
        except Refused:
            return None

    winners = [one for one in await asyncio.gather(*(rotate(f"s{n}") for n in range(6))) if one]
    assert len(winners) == 1
    assert await stores.keys.get(wanted.id) == winners[0]


async def test_a_use_is_noted_once_in_a_while_and_is_no_revision(stores: Stores) -> None:
    wanted = key()
    await stores.keys.insert(wanted)
    start = CLOCK.now()
    await stores.keys.touch(wanted.id, start, 60)
    await stores.keys.touch(wanted.id, start + timedelta(seconds=59), 60)
    stored = await stores.keys.get(wanted.id)
    assert stored == wanted.model_copy(update={"last_used_at": start})
    await stores.keys.touch(wanted.id, start + timedelta(seconds=60), 60)
    # What was decided on before the use is written all the same, and the use stays.
    revoked = await stores.keys.apply(revoke(wanted, start))
    assert revoked is not None
    stored = await stores.keys.get(wanted.id)
    assert stored is not None
    assert (stored.last_used_at, stored.revoked_at) == (start + timedelta(seconds=60), start)
    await stores.keys.touch("nobody", start, 60)


async def test_the_first_secret_stays(stores: Stores) -> None:
    assert await stores.secrets.get("auth") is None
    answers = await asyncio.gather(*(stores.secrets.ensure("auth", f"s{n}") for n in range(6)))
    assert len(set(answers)) == 1
    assert await stores.secrets.ensure("auth", "another") == answers[0]
    assert await stores.secrets.get("auth") == answers[0]
    assert await stores.secrets.ensure("other", "x") == "x"
