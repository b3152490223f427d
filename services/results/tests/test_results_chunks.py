"""The chunk store: the same chunk twice is one, and a missing one is told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from frameloom.results.chunks import MissingChunksError


async def rows(world: Any, keys: list[str], name: str = "annotations") -> list[Any]:
    return [json.loads(row) async for batch in world.chunks.rows(keys, name) for row in batch]


async def test_a_chunk_delivered_twice_is_kept_once(world: Any) -> None:
    task = await world.running()
    for _ in range(2):
        await world.chunks.put(world.chunk(task, 0, {"id": 1}))
    assert len(world.keys("chunks/")) == 1
    keys = await world.chunks.keys("j", task.id, 1, 1)
    assert await rows(world, keys) == [{"id": 1}]


async def test_rows_keep_the_order_of_the_chunks_not_of_their_arrival(world: Any) -> None:
    task = await world.running()
    for seq in (11, 2, 0, 10, 1, 3, 4, 5, 6, 7, 8, 9):
        await world.chunks.put(world.chunk(task, seq, {"seq": seq}))
    keys = await world.chunks.keys("j", task.id, 1, 12)
    assert [row["seq"] for row in await rows(world, keys)] == list(range(12))


async def test_missing_chunks_are_counted_and_the_first_is_named(world: Any) -> None:
    task = await world.running()
    await world.chunks.put(world.chunk(task, 1, {}))
    with pytest.raises(MissingChunksError, match="2 of 3") as caught:
        await world.chunks.keys("j", task.id, 1, 3)
    assert caught.value.detail["first_missing"].endswith("/00000000.jsonl.gz")


async def test_chunks_of_another_epoch_do_not_count(world: Any) -> None:
    task = await world.running()
    await world.chunks.put(world.chunk(task, 0, {}))
    with pytest.raises(MissingChunksError):
        await world.chunks.keys("j", task.id, 2, 1)


async def test_more_chunks_than_announced_are_left_out(world: Any) -> None:
    task = await world.running()
    for seq in range(3):
        await world.chunks.put(world.chunk(task, seq, {"seq": seq}))
    keys = await world.chunks.keys("j", task.id, 1, 2)
    assert [row["seq"] for row in await rows(world, keys)] == [0, 1]


async def test_a_list_is_told_from_one_whose_name_begins_alike(world: Any) -> None:
    task = await world.running()
    await world.chunks.put(world.chunk(task, 0, {"id": 1}, name="a"))
    await world.chunks.put(world.chunk(task, 1, {"id": 2}, name="ab"))
    await world.chunks.put(world.chunk(task, 2, {"id": 3}, name='a",'))
    keys = await world.chunks.keys("j", task.id, 1, 3)
    assert await rows(world, keys, "a") == [{"id": 1}]
    assert await rows(world, keys, "ab") == [{"id": 2}]


async def test_a_list_may_bear_any_name(world: Any) -> None:
    task = await world.running()
    await world.chunks.put(world.chunk(task, 0, {"id": 1}, name='Gesprächs"teile"'))
    keys = await world.chunks.keys("j", task.id, 1, 1)
    assert await rows(world, keys, 'Gesprächs"teile"') == [{"id": 1}]


async def test_a_chunk_without_rows_gives_none(world: Any) -> None:
    task = await world.running()
    await world.chunks.put(world.chunk(task, 0))
    assert await rows(world, await world.chunks.keys("j", task.id, 1, 1)) == []


async def test_a_chunk_removed_while_it_is_needed_counts_as_missing(world: Any) -> None:
    task = await world.running()
    await world.chunks.put(world.chunk(task, 0, {}))
    keys = await world.chunks.keys("j", task.id, 1, 1)
    await world.chunks.delete("chunks/")
    with pytest.raises(MissingChunksError):
        await rows(world, keys)
