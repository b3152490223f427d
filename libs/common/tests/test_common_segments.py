"""Segments: how media are cut, what tasks a job gets of it, and how these fold into one pipeline."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from frameloom.common.documents import (
    Failure,
    FailureCategory,
    JobDocument,
    JobStatus,
    MediaFacts,
    MediaRef,
    SegmentRows,
    TaskDocument,
    TaskResult,
    TaskState,
)
from frameloom.common.machines import job as jobs
from frameloom.common.machines import segments
from frameloom.common.machines.retry import RetryPolicy
from frameloom.common.machines.segments import Limits
from frameloom.common.machines.task import TaskMachine
from frameloom.common.pipelines import Item, Segmentation
from frameloom.common.rows import cut_out, pack, unpack

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
MEDIA = MediaRef(key="media/j/source", filename="a.mp4", size_bytes=1, sha256="00")
HOUR = MediaFacts(container="mov,mp4,m4a,3gp,3g2,mj2", duration_seconds=3600.0)
TASKS = TaskMachine(RetryPolicy(), 15, 60)
BROKEN = Failure(category=FailureCategory.DECODE_ERROR, message="The video is damaged.")


@example(duration=1e6, length=0.1, overlap=5e-324, above=0.0, limit=5e-324)
@given(
    st.floats(0.001, 1e6),
    st.floats(0.1, 1e5),
    st.floats(0, 100),
    st.floats(0, 1e4),
    st.one_of(st.none(), st.floats(0, 1e4)),
)
def test_segments_cover_the_media_and_are_long_enough(
    duration: float, length: float, overlap: float, above: float, limit: float | None
) -> None:
    facts = HOUR.model_copy(update={"duration_seconds": duration})
    wanted = Segmentation(seconds=length, overlap_seconds=overlap, above_seconds=above)
    found = segments.cut(facts, wanted, {}, Limits(seconds=limit))
    assert len(found) != 1
    if not found:
        return
    assert duration > above
    assert len(found) <= segments.MOST
    assert [one.index for one in found] == list(range(len(found)))
    assert {one.count for one in found} == {len(found)}
    assert (found[0].begin_seconds, found[-1].end_seconds) == (0.0, None)
    for before, after in pairwise(found):
        assert before.end_seconds == after.begin_seconds
        assert after.begin_seconds - before.begin_seconds >= 2 * overlap - 2e-3
    assert found == segments.cut(facts, wanted, {}, Limits(seconds=limit)), "planned twice, cut alike"


@pytest.mark.parametrize(
    ("facts", "wanted", "config", "limits"),
    [
        (None, Segmentation(), {}, Limits()),
        (HOUR, None, {}, Limits()),
        (HOUR, Segmentation(), {"segments": False}, Limits()),
        (HOUR, Segmentation(), {}, Limits(seconds=0)),
        (HOUR, Segmentation(), {}, Limits(above_seconds=3600)),
        (HOUR.model_copy(update={"duration_seconds": None}), Segmentation(), {}, Limits()),
        (HOUR.model_copy(update={"duration_seconds": 600.0}), Segmentation(), {}, Limits()),
        (HOUR.model_copy(update={"container": "avi"}), Segmentation(), {}, Limits()),
    ],
)
def test_what_stays_whole(facts: Any, wanted: Any, config: dict[str, Any], limits: Limits) -> None:
    assert segments.cut(facts, wanted, config, limits) == ()


def test_an_hour_is_twelve_segments_and_the_operator_may_say_otherwise() -> None:
    assert len(segments.cut(HOUR, Segmentation(), {"segments": True}, Limits())) == 12
    assert len(segments.cut(HOUR, Segmentation(), {}, Limits(seconds=900))) == 4
    short = HOUR.model_copy(update={"duration_seconds": 90.0})
    assert len(segments.cut(short, Segmentation(), {}, Limits(seconds=30, above_seconds=60))) == 3


def planned(**wanted: Segmentation) -> tuple[JobDocument, dict[str, TaskDocument]]:
    submission = jobs.Submission("j", "t", MEDIA, ("a", "b"), {}, facts=HOUR)
    job = jobs.submit(submission, NOW)
    tasks = jobs.plan_tasks(job, NOW, wanted, Limits(seconds=1200))
    assert [task.id for task in tasks] == [
        task.id for task in jobs.plan_tasks(job, NOW, wanted, Limits(seconds=1200))
    ]
    job = jobs.planned(job, tasks, NOW).after
    return job, {name_of(task): task for task in tasks}


def name_of(task: TaskDocument) -> str:
    return task.pipeline if task.segment is None else f"{task.pipeline}{task.segment.index}"


def started(task: TaskDocument) -> TaskDocument:
    return TASKS.claim(task, attempt=task.attempt, worker="w", now=NOW).after


def completed(task: TaskDocument, chunks: int = 0) -> TaskDocument:
    result = TaskResult(epoch=task.epoch, manifest_key="", artefacts=(), annotation_count=0, chunks=chunks)
    return TASKS.complete(task, result, NOW).after


def test_a_pipeline_in_segments_is_one_task_of_the_job_that_waits() -> None:
    job, tasks = planned(a=Segmentation())
    assert [(task.pipeline, task.state) for task in job.tasks] == [
        ("a", TaskState.WAITING),
        ("b", TaskState.QUEUED),
    ]
    assert [piece.id for piece in job.segments] == [tasks[f"a{n}"].id for n in range(3)]
    assert tasks["a"].waits_for == tuple(piece.id for piece in job.segments)
    assert len({task.id for task in tasks.values()}) == len(tasks) == 5


def test_the_job_runs_with_the_first_segment_and_ends_with_the_stitch() -> None:
    job, tasks = planned(a=Segmentation())
    first = started(tasks["a0"])
    job = jobs.fold(job, [first], NOW).after
    assert job.status is JobStatus.RUNNING
    assert job.tasks[0].started_at == NOW, "the pipeline has started"
    pieces = [completed(started(tasks[f"a{n}"]), chunks=n) for n in range(3)]
    job = jobs.fold(job, [*pieces, completed(started(tasks["b"]))], NOW).after
    assert job.status is JobStatus.RUNNING
    stitch = TASKS.ready(tasks["a"], [SegmentRows(task_id=p.id, epoch=1, chunks=1) for p in pieces]).after
    assert (stitch.state, len(stitch.parts)) == (TaskState.QUEUED, 3)
    job = jobs.fold(job, [completed(started(stitch))], NOW).after
    assert job.status is JobStatus.COMPLETED
    kinds = [event.type for event in job.events]
    assert kinds.count("segment.completed") == 3
    assert kinds.count("task.completed") == 2
    told = next(event.data for event in job.events if event.type == "segment.completed")
    assert (told["pipeline"], told["segment"], told["segments"]) == ("a", 0, 3)


def test_a_segment_that_fails_fails_its_pipeline_alone() -> None:
    job, tasks = planned(a=Segmentation())
    broken = TASKS.fail(started(tasks["a1"]), BROKEN, epoch=1, now=NOW).after
    stitch = TASKS.abandon(tasks["a"], BROKEN, NOW).after
    job = jobs.fold(job, [broken, stitch, completed(started(tasks["b"]))], NOW).after
    assert job.status is JobStatus.COMPLETED
    assert job.error_message == "Completed with errors. Failed pipelines: a"
    assert [event.type for event in job.events].count("task.failed") == 1


def test_what_waits_is_cancelled_at_once() -> None:
    _, tasks = planned(a=Segmentation())
    assert TASKS.request_cancel(tasks["a"], NOW).after.state is TaskState.CANCELLED


@given(
    st.lists(
        st.builds(
            Item,
            list=st.sampled_from(["a", "ab", '"', "ä", "_x"]),
            row=st.dictionaries(st.text(), st.one_of(st.text(), st.integers(), st.none())),
        )
    ),
    st.sampled_from(["a", "ab", '"', "ä", "_x", "none"]),
)
def test_rows_come_back_as_they_were(items: list[Item], name: str) -> None:
    packed = pack(items)
    wanted = [item for item in items if item.list == name]
    assert list(unpack(packed, [name])) == wanted
    assert len(cut_out(packed, name)) == len(wanted)
    assert list(unpack(packed, {item.list for item in items})) == items
