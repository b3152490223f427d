"""Files of two pipelines: whichever ends first, one file, the same bytes; and never at a result's expense."""

from __future__ import annotations

import hashlib
import itertools
import json
from typing import Any

import pytest

from frameloom.common.documents import Failure, FailureCategory, TaskDocument, TaskState
from frameloom.common.events import AnnotationsFinished
from frameloom.common.pipelines import ArtefactSpec

CRASH = Failure(category=FailureCategory.WORKER_CRASH, message="gone")
FACES, PERSONS = "face_analysis", "person_tracking"
MAIN = ArtefactSpec(suffix="_face_detections.json")
LINKS = ArtefactSpec(
    suffix="_face_person_links.json",
    writer="face_links",
    joins=PERSONS,
    head={"info": {"version": "1"}, "licenses": []},
    tail={"categories": [{"id": 100}]},
    options={"least_overlap": 0.5},
)
TRACKS = (
    ArtefactSpec(suffix="_person_tracking.json"),
    ArtefactSpec(suffix="_person_tracks.json", lists=("person_tracks",), counted="person_tracks"),
)


def face(number: int, at: float, left: float, identity: int) -> dict[str, Any]:
    return {"id": number, "face_id": identity, "bbox": [left, 10.0, 30.0, 40.0], "timestamp": at}


def person(track: int, at: float, left: float) -> dict[str, Any]:
    return {
        "person_id": f"person_{track}",
        "track_id": track,
        "bbox": [left, 0.0, 100.0, 300.0],
        "timestamp": at,
        "person_label": "unknown",
    }


def last_word(track: int, label: str) -> dict[str, Any]:
    return {
        "person_id": f"person_{track}",
        "track_id": track,
        "label": label,
        "label_confidence": 0.7,
        "labeling_method": "automatic_size_based",
    }


async def handed_over(world: Any, pipeline: str) -> AnnotationsFinished:
    """The chunks of one of the two pipelines, two people walking, and the event at their end."""
    task: TaskDocument = world.task("j", pipeline)
    if pipeline == FACES:
        rows = [face(2 * i + 1 + k, i / 5, 35.0 + 300 * k + i, k) for i in range(5) for k in (0, 1)]
        rows.append(face(11, 0.8, 900.0, 2))  # a picture on the wall
        await world.chunks.put(world.chunk(task, 0, *rows[:4]))
        await world.chunks.put(world.chunk(task, 1, *rows[4:]))
        await world.chunks.put(world.chunk(task, 2, {"id": "frame_0"}, name="images"))
        specs, chunks = (MAIN, LINKS), 3
    else:
        rows = [person(k + 1, i / 10, 300.0 * k + i / 2) for i in range(9) for k in (0, 1)]
        await world.chunks.put(world.chunk(task, 0, *rows))
        await world.chunks.put(
            world.chunk(task, 1, last_word(1, "parent"), last_word(2, "infant"), name="person_tracks")
        )
        specs, chunks = TRACKS, 2
    await world.write(task, "finish", epoch=task.epoch)
    event: AnnotationsFinished = world.finished(task, chunks, *specs)
    told = event.provenance.model_copy(update={"pipeline": pipeline})
    return event.model_copy(update={"provenance": told})


def linked_files(world: Any) -> list[tuple[str, Any]]:
    return [
        (task.pipeline, artefact)
        for task in world.tasks.held.values()
        if task.result is not None
        for artefact in task.result.artefacts
        if artefact.filename.endswith("_face_person_links.json")
    ]


@pytest.mark.parametrize("order", list(itertools.permutations((FACES, PERSONS))), ids="-".join)
async def test_whoever_ends_second_brings_the_file(world: Any, order: tuple[str, str]) -> None:
    await world.running(pipelines=(FACES, PERSONS))
    events = {name: await handed_over(world, name) for name in order}
    await world.finisher.finish(events[order[0]])
    assert linked_files(world) == []
    await world.finisher.finish(events[order[0]])  # told again: nothing that the second needs may go
    await world.finisher.finish(events[order[1]])
    await world.finisher.finish(events[order[1]])
    ((holder, artefact),) = linked_files(world)
    assert holder == order[1]
    body, _ = world.objects.held[artefact.key]
    assert hashlib.sha256(body).hexdigest() == artefact.sha256
    document = json.loads(body)
    assert list(document) == ["info", "licenses", "annotations", "links", "images", "categories"]
    assert document["info"]["provenance"]["pipeline"] == FACES
    assert document["info"]["person_tracking_provenance"]["pipeline"] == PERSONS
    rows = document["annotations"]
    assert artefact.annotation_count == len(rows) == 11
    assert [row.get("track_id") for row in rows] == [1, 2] * 5 + [None]
    assert [row["person_label"] for row in rows] == ["parent", "infant"] * 5 + ["unknown"]
    assert rows[0]["person_id"] == "person_1"
    assert rows[-1]["person_id"] == "unknown"
    assert [(pair["face_id"], pair["track_id"], pair["frames"]) for pair in document["links"]] == [
        (0, 1, 5),
        (1, 2, 5),
    ]
    assert (document["links"][0]["first_seen"], document["links"][0]["last_seen"]) == (0.0, 0.8)
    assert document["images"] == [{"id": "frame_0"}]


async def test_the_bytes_are_the_same_in_both_orders(world: Any) -> None:
    bodies = set()
    for order in itertools.permutations((FACES, PERSONS)):
        fresh = type(world)()
        await fresh.running(pipelines=(FACES, PERSONS))
        events = {name: await handed_over(fresh, name) for name in order}
        for name in order:
            await fresh.finisher.finish(events[name])
        ((_, artefact),) = linked_files(fresh)
        bodies.add(fresh.objects.held[artefact.key][0])
    assert len(bodies) == 1


async def test_alone_nothing_waits(world: Any) -> None:
    await world.running(pipelines=(FACES,))
    await world.finisher.finish(await handed_over(world, FACES))
    result = world.task("j", FACES).result
    assert [artefact.filename for artefact in result.artefacts] == ["my clip_face_detections.json"]
    assert result.waiting == ()


@pytest.mark.parametrize("first", [True, False])
async def test_a_partner_that_fails_leaves_the_faces_as_they_are(world: Any, first: bool) -> None:
    await world.running(pipelines=(FACES, PERSONS))

    async def fail() -> None:
        broken = Failure(category=FailureCategory.VALIDATION, message="no")
        await world.write(world.task("j", PERSONS), "fail", failure=broken, epoch=1, now=world.clock.now())

    if first:
        await fail()
    await world.finisher.finish(await handed_over(world, FACES))
    if not first:
        await fail()
    task = world.task("j", FACES)
    assert task.state is TaskState.COMPLETED
    assert len(task.result.artefacts) == 1
    assert bool(task.result.waiting) is not first


async def test_a_second_try_of_the_partner_brings_the_file(world: Any) -> None:
    await world.running(pipelines=(FACES, PERSONS))
    stale = await handed_over(world, PERSONS)
    task = world.task("j", PERSONS)
    await world.write(task, "fail", failure=CRASH, epoch=1, now=world.clock.now())
    await world.finisher.finish(await handed_over(world, FACES))
    await world.finisher.finish(stale)
    assert linked_files(world) == []
    world.clock.advance(60)
    await world.claim("j", PERSONS)
    await world.finisher.finish(await handed_over(world, PERSONS))
    ((holder, _),) = linked_files(world)
    assert holder == PERSONS


async def test_rows_that_can_not_be_linked_cost_only_the_file(world: Any) -> None:
    """The pipeline of that name may be somebody else's, with other rows."""
    await world.running(pipelines=(FACES, PERSONS))
    await world.finisher.finish(await handed_over(world, FACES))
    task = world.task("j", PERSONS)
    await world.chunks.put(world.chunk(task, 0, {"who": "somebody"}))
    await world.write(task, "finish", epoch=1)
    await world.finisher.finish(world.finished(task, 1, *TRACKS))
    assert world.task("j", PERSONS).state is TaskState.COMPLETED
    assert len(world.task("j", PERSONS).result.artefacts) == 2
    assert linked_files(world) == []


async def test_chunks_that_are_gone_cost_only_the_file(world: Any) -> None:
    await world.running(pipelines=(FACES, PERSONS))
    await world.finisher.finish(await handed_over(world, FACES))
    manifest = world.task("j", FACES).result.manifest_key
    event = await handed_over(world, PERSONS)
    await world.objects.delete([manifest])
    await world.finisher.finish(event)
    assert world.task("j", PERSONS).state is TaskState.COMPLETED
    assert linked_files(world) == []


async def test_faces_without_a_person_can_be_left_out(world: Any) -> None:
    await world.running(pipelines=(FACES, PERSONS))
    event = await handed_over(world, FACES)
    strict = LINKS.model_copy(update={"options": {"require_person_id": True}})
    await world.finisher.finish(event.model_copy(update={"artefacts": (MAIN, strict)}))
    await world.finisher.finish(await handed_over(world, PERSONS))
    ((_, artefact),) = linked_files(world)
    assert artefact.annotation_count == 10


async def test_memory_does_not_grow_with_the_video(world: Any) -> None:
    """What is held while the file is written: a chunk of each side, however many there are."""
    import tracemalloc

    async def peak(chunks: int) -> int:
        fresh = type(world)()
        await fresh.running(pipelines=(FACES, PERSONS))
        for pipeline, make in ((FACES, face), (PERSONS, person)):
            task = fresh.task("j", pipeline)
            for seq in range(chunks):
                times = [seq * 20 + i / 10 for i in range(200)]
                rows = [face(1, at, 35.0, 0) if make is face else person(1, at, 0.0) for at in times]
                await fresh.chunks.put(fresh.chunk(task, seq, *rows))
            await fresh.write(task, "finish", epoch=1)
        await fresh.finisher.finish(fresh.finished(fresh.task("j", FACES), chunks, MAIN, LINKS))
        tracemalloc.start()
        await fresh.finisher.finish(fresh.finished(fresh.task("j", PERSONS), chunks, TRACKS[0]))
        stored = sum(a.size_bytes for a in fresh.task("j", PERSONS).result.artefacts)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most - stored  # the store itself is in memory here

    short, long = await peak(3), await peak(30)
    assert long < short + 500_000
