"""Assembly: what goes in by chunks comes out as one JSON object, in the order that was asked for."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from frameloom.common.adapters.memory import MemoryObjectStore
from frameloom.common.events import AnnotationChunk, Provenance
from frameloom.common.pipelines import ArtefactSpec, Item
from frameloom.results.assembly import Assembled, assemble
from frameloom.results.chunks import ChunkStore

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PROVENANCE = Provenance(
    input_sha256="é",
    pipeline="a",
    pipeline_version="1",
    decoder="d",
    frameloom_version="1",
    worker="w",
    started_at=NOW,
    ended_at=NOW,
)
LISTS = ("annotations", "images", "szenen ä")

NASTY = st.sampled_from(
    ['["annotations",', '["images",{}]\n["images",', "\n", "\r\n", "\u2028", "😀", '\\"', "]}", "\x00", "ä"]
)
TEXT = st.lists(st.one_of(NASTY, st.text(st.characters(exclude_categories=["Cs"]), max_size=5))).map("".join)
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**53), 2**53),
        st.floats(allow_nan=False, allow_infinity=False),
        TEXT,
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=6,
)
ROWS = st.dictionaries(TEXT, VALUES, max_size=4)
CHUNKS = st.lists(st.lists(st.tuples(st.sampled_from(LISTS), ROWS), max_size=5), max_size=6)


async def written(spec: ArtefactSpec, chunks: list[list[tuple[str, Any]]]) -> tuple[bytes, Assembled]:
    store = ChunkStore(MemoryObjectStore())
    for seq, rows in enumerate(chunks):
        await store.put(
            AnnotationChunk(
                job_id="j",
                task_id="t",
                epoch=1,
                seq=seq,
                start_seconds=0,
                end_seconds=1,
                items=tuple(Item(list=name, row=row) for name, row in rows),
            )
        )
    keys = await store.keys("j", "t", 1, len(chunks))

    def rows_of(name: str) -> AsyncIterator[list[bytes]]:
        return store.rows(keys, name)

    file = io.BytesIO()
    done = await assemble(spec, PROVENANCE, rows_of, file)
    return file.getvalue(), done


def rows_in(chunks: list[list[tuple[str, Any]]], wanted: str) -> list[Any]:
    return [row for chunk in chunks for name, row in chunk if name == wanted]


@given(CHUNKS)
def test_every_row_comes_back_as_it_went_in(chunks: list[list[tuple[str, Any]]]) -> None:
    data, done = asyncio.run(written(ArtefactSpec(suffix="_x.json", lists=LISTS), chunks))
    document = json.loads(data)
    for name in LISTS:
        assert document[name] == rows_in(chunks, name)
    assert done.annotation_count == len(rows_in(chunks, "annotations"))
    assert done.size_bytes == len(data)
    assert done.sha256 == hashlib.sha256(data).hexdigest()


@given(
    st.dictionaries(TEXT.filter(lambda k: k not in LISTS and k != "info"), VALUES, max_size=3),
    st.dictionaries(TEXT.map(lambda k: f"tail {k}"), VALUES, max_size=3),
)
def test_head_and_tail_stand_around_the_lists(head: dict[str, Any], tail: dict[str, Any]) -> None:
    spec = ArtefactSpec(suffix="_x.json", head=head, tail=tail, lists=("annotations",))
    data, _ = asyncio.run(written(spec, []))
    document = json.loads(data)
    provenance = document.pop("info")["provenance"]
    keys = list(head) + ["annotations"] + [key for key in tail if key not in head]
    assert document == {**head, "annotations": [], **tail}
    if not set(head) & set(tail):
        assert list(document) == keys
    assert Provenance.model_validate(provenance) == PROVENANCE


async def test_an_artefact_without_rows_has_empty_lists() -> None:
    data, done = await written(ArtefactSpec(suffix="_x.json"), [])
    assert json.loads(data)["annotations"] == json.loads(data)["images"] == []
    assert done.annotation_count == 0


async def test_annotations_stand_before_images_although_they_came_mixed() -> None:
    chunks = [[("images", {"id": 1}), ("annotations", {"id": 2})], [("images", {"id": 3})]]
    data, _ = await written(ArtefactSpec(suffix="_x.json"), chunks)
    assert data.index(b'"annotations"') < data.index(b'"images"')
    assert list(json.loads(data)) == ["info", "annotations", "images"]


async def test_the_provenance_joins_the_pipelines_own_info() -> None:
    spec = ArtefactSpec(suffix="_x.json", head={"info": {"year": 2026}, "categories": []})
    document = json.loads((await written(spec, []))[0])
    assert document["info"]["year"] == 2026
    assert document["info"]["provenance"]["input_sha256"] == "é"


async def test_a_copy_repeats_another_lists_rows_and_is_not_counted() -> None:
    spec = ArtefactSpec(suffix="_x.json", lists=("annotations", "scenes"), copies={"scenes": "annotations"})
    data, done = await written(spec, [[("annotations", {"id": 1}), ("scenes", {"id": 9})]])
    document = json.loads(data)
    assert document["scenes"] == document["annotations"] == [{"id": 1}]
    assert done.annotation_count == 1


async def test_a_row_stands_on_a_line_of_its_own() -> None:
    """Whoever reads only the beginning of a large file can cut it at lines."""
    chunks = [[("annotations", {"id": n}), ("annotations", {"t": "a\nb"})] for n in range(3)]
    data, _ = await written(ArtefactSpec(suffix="_x.json", lists=("annotations",)), chunks)
    lines = data.split(b"\n")
    assert [json.loads(line.rstrip(b",")) for line in lines[2:7]] == rows_in(chunks, "annotations")[:5]
