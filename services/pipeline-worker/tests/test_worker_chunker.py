"""The chunker: order kept, size bound held, nothing lost, nothing kept back for long."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frameloom.common.documents import FailureCategory
from frameloom.common.events import AnnotationChunk, Encoded
from frameloom.common.pipelines import Item
from frameloom.worker.child.chunker import CHUNK_BYTES, Chunker
from frameloom.worker.child.protocol import Chunk
from frameloom.worker.errors import TaskError

LIMIT = 400
ROWS = st.dictionaries(
    st.text(max_size=4), st.one_of(st.text(max_size=12), st.integers(), st.floats(0, 1)), max_size=3
)
CALLS = st.lists(
    st.tuples(
        st.lists(st.tuples(st.sampled_from(["annotations", "images"]), ROWS), max_size=8), st.floats(0, 3)
    ),
    max_size=12,
)


def event_bytes(chunk: Chunk) -> int:
    event = AnnotationChunk(
        job_id="j",
        task_id="t",
        epoch=1,
        seq=0,
        start_seconds=chunk.start_seconds,
        end_seconds=chunk.end_seconds,
        items=chunk.items,
    )
    empty = event.model_copy(update={"items": ()})
    return len(Encoded.of(event, "w").body) - len(Encoded.of(empty, "w").body)


def fed(calls: list[tuple[list[tuple[str, Any]], float]], chunker: Chunker) -> tuple[list[Item], list[Chunk]]:
    items: list[Item] = []
    chunks: list[Chunk] = []
    now = 0.0
    for second, (rows, pause) in enumerate(calls):
        now += pause
        given_now = [Item(list=name, row=row) for name, row in rows]
        items += given_now
        chunks += chunker.add(given_now, second, second + 1, now)
    return items, chunks + chunker.rest()


@given(CALLS)
def test_every_row_comes_out_once_and_in_order(calls: list[Any]) -> None:
    items, chunks = fed(calls, Chunker("t", limit_bytes=LIMIT))
    assert [item for chunk in chunks for item in chunk.items] == items
    assert all(chunk.items for chunk in chunks)


@given(CALLS)
def test_no_chunk_is_larger_on_the_wire_than_its_limit(calls: list[Any]) -> None:
    _, chunks = fed(calls, Chunker("t", limit_bytes=LIMIT, limit_seconds=1e9))
    assert all(event_bytes(chunk) <= LIMIT for chunk in chunks)


@given(CALLS)
def test_chunks_tell_media_times_that_do_not_run_back(calls: list[Any]) -> None:
    _, chunks = fed(calls, Chunker("t", limit_bytes=LIMIT))
    for chunk in chunks:
        assert chunk.start_seconds < chunk.end_seconds
    for before, after in pairwise(chunks):
        assert before.start_seconds <= after.start_seconds
        assert before.end_seconds <= after.end_seconds


def item(text: str = "x") -> Item:
    return Item(list="annotations", row={"t": text})


def test_small_rows_wait_for_company_but_not_for_long() -> None:
    chunker = Chunker("t", limit_seconds=2.0)
    assert chunker.add([item("a")], 0, 1, now=10.0) == []
    assert chunker.add([item("b")], 1, 2, now=11.9) == []
    (chunk,) = chunker.add([item("c")], 2, 3, now=12.0)
    assert [i.row["t"] for i in chunk.items] == ["a", "b", "c"]
    assert (chunk.start_seconds, chunk.end_seconds) == (0, 3)
    assert chunker.add([item("d")], 3, 4, now=12.1) == [], "the next one's age counts from its first row"


def test_nothing_left_means_no_chunk() -> None:
    chunker = Chunker("t")
    assert chunker.rest() == []
    chunker.add([item()], 0, 1, 0)
    assert len(chunker.rest()) == 1
    assert chunker.rest() == []


def test_a_row_that_fits_no_message_is_refused_with_a_sentence() -> None:
    with pytest.raises(TaskError, match="512 KiB is the most") as caught:
        Chunker("t").add([item("x" * CHUNK_BYTES)], 0, 1, 0)
    assert caught.value.category is FailureCategory.WORKER_PROTOCOL


def test_text_outside_ascii_holds_the_bound_too() -> None:
    chunker = Chunker("t", limit_seconds=1e9)
    chunks = chunker.add([item("😀ä" * 1000) for _ in range(200)], 0, 1, 0) + chunker.rest()
    assert len(chunks) > 1
    assert all(event_bytes(chunk) <= CHUNK_BYTES for chunk in chunks)
