"""A job's log in the words of VideoAnnotator's viewer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from frameloom.common.documents import JobEvent, JobStatus
from frameloom.common.events import JobEventMessage, TaskProgressed
from frameloom.common.pipelines import Progress
from frameloom.gateway.services.frames import Format, Frame, connected, heartbeat
from frameloom.gateway.services.projection import (
    JobView,
    advance,
    event_frames,
    event_progress,
    fold,
    viewer_frames,
    viewer_progress,
)

BEGIN = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


class Log:
    """A job's log as it grows, and the view of it."""

    def __init__(self, *pipelines: str) -> None:
        self.view = JobView("j")
        self.last: tuple[Frame, ...] = ()
        self.add("job.submitted", "pending", pipelines=list(pipelines), video_filename="a.mp4")

    def add(self, kind: str, status: str = "running", **data: Any) -> tuple[Frame, ...]:
        """The frames of one more event."""
        event = JobEvent(
            id=f"e{self.view.seq + 1}",
            seq=self.view.seq + 1,
            type=kind,
            status=JobStatus(status),
            time=BEGIN + timedelta(seconds=self.view.seq),
            data=data,
        )
        before, self.view = self.view, fold(self.view, event)
        self.last = viewer_frames(before, self.view, event)
        return self.last

    def task(self, kind: str, pipeline: str, **data: Any) -> tuple[Frame, ...]:
        """The frames of one more event of a pipeline's task."""
        return self.add(
            kind, task_id=f"t-{pipeline}", pipeline=pipeline, attempt=data.pop("attempt", 1), **data
        )

    def tell(self, pipeline: str, fraction: float, epoch: int = 1) -> tuple[Frame, ...]:
        """The frames of telemetry; none if it says nothing new."""
        told = telemetry(pipeline, fraction, epoch)
        if (after := advance(self.view, told)) is None:
            return ()
        self.view = after
        return viewer_progress(after, told)


def telemetry(pipeline: str, fraction: float, epoch: int = 1) -> TaskProgressed:
    return TaskProgressed(
        job_id="j",
        tenant="default",
        task_id=f"t-{pipeline}",
        pipeline=pipeline,
        epoch=epoch,
        progress=Progress(stage="annotating", fraction=fraction, frames_done=7),
        time=BEGIN,
    )


def names(frames: tuple[Frame, ...]) -> list[str]:
    return [frame.event for frame in frames]


def test_an_accepted_job_is_an_update_in_the_shape_that_the_viewer_reads() -> None:
    (frame,) = Log("scenes").last
    assert (frame.event, frame.id) == ("job.update", "j:1")
    assert frame.data == {
        "type": "job.update",
        "job_id": "j",
        "status": "pending",
        "progress": 0.0,
        "timestamp": "2026-11-24T12:00:00.000Z",
    }


def test_the_first_message_and_heartbeats_reach_onmessage_as_the_originals_do() -> None:
    assert connected(Format.VIEWER, BEGIN).sse == (
        b'data: {"type": "connected", "timestamp": "2026-11-24T12:00:00.000Z"}\n\n'
    )
    beat = heartbeat(Format.VIEWER, BEGIN)
    assert b"event:" not in beat.sse
    assert beat.data["type"] == "heartbeat"
    assert b"event: heartbeat\n" in heartbeat(Format.EVENTS, BEGIN).sse


class TestProgress:
    def test_it_is_the_mean_over_the_pipelines_in_per_cent(self) -> None:
        log = Log("scenes", "faces")
        log.add("job.started")
        log.task("task.started", "scenes", worker="w")
        (frame,) = log.tell("scenes", 0.5)
        assert (frame.event, frame.id, frame.data["progress"]) == ("job.update", None, 25.0)
        assert frame.data["task"]["frames_done"] == 7
        log.tell("faces", 0.333)
        assert log.view.progress == 41.6

    def test_a_pipeline_that_has_ended_counts_whole_whatever_its_end(self) -> None:
        log = Log("scenes", "faces", "voices", "texts")
        log.task("task.completed", "scenes", annotation_count=1)
        log.task("task.failed", "faces", category="system", message="Broken.")
        log.task("task.cancelled", "voices")
        assert log.view.progress == 75.0

    def test_a_new_attempt_begins_again_and_late_telemetry_of_the_old_one_is_passed_over(self) -> None:
        log = Log("scenes")
        log.task("task.started", "scenes", worker="w")
        log.tell("scenes", 0.8, epoch=1)
        log.task("task.retrying", "scenes", category="gpu_oom", message="Full.", delay_seconds=5.0)
        assert log.view.progress == 0.0
        assert log.tell("scenes", 0.9, epoch=1) == ()
        assert log.tell("scenes", 0.1, epoch=2)[0].data["progress"] == 10.0

    @pytest.mark.parametrize("kind", ["completed", "failed", "cancelled"])
    def test_of_a_job_that_is_over_nothing_is_told(self, kind: str) -> None:
        log = Log("scenes")
        log.add(f"job.{kind}", kind)
        assert log.tell("scenes", 0.5) == ()

    def test_a_pipeline_that_the_log_did_not_name_counts_too(self) -> None:
        view = advance(JobView("j", status="running"), telemetry("scenes", 0.4))
        assert view is not None
        assert view.progress == 40.0

    def test_a_completed_job_is_done(self) -> None:
        log = Log("scenes", "faces")
        log.add("job.completed", "completed")
        assert log.view.progress == 100.0


class TestLog:
    def test_a_line_tells_of_the_attempt_and_an_update_follows_where_the_state_changes(self) -> None:
        log = Log("scenes")
        log.add("job.started")
        assert names(log.task("task.started", "scenes", worker="w1")) == ["job.log"]
        (line,) = log.last
        assert line.data == {
            "type": "job.log",
            "job_id": "j",
            "level": "INFO",
            "message": "scenes: attempt 1 started on worker w1",
            "pipeline": "scenes",
            "attempt": 1,
            "timestamp": "2026-11-24T12:00:02.000Z",
        }
        frames = log.task("task.completed", "scenes", annotation_count=3, files=["a_scenes.json"])
        assert names(frames) == ["job.log", "job.update"]
        assert [frame.id for frame in frames] == [None, "j:4"]
        assert frames[0].data["message"] == "scenes: completed with 3 annotations in a_scenes.json"

    @pytest.mark.parametrize(
        ("kind", "data", "level", "sentence"),
        [
            (
                "task.retrying",
                {"category": "worker_lost", "message": "Silence.", "delay_seconds": 0.5},
                "WARNING",
                "attempt 2 failed (worker_lost): Silence. Tried again in 0.5 s.",
            ),
            (
                "task.failed",
                {"category": "decode_error", "message": "No frames."},
                "ERROR",
                "failed for good in attempt 2 (decode_error): No frames.",
            ),
            ("task.released", {}, "INFO", "given back by a worker that shuts down; another one takes it"),
            ("task.cancelled", {}, "INFO", "cancelled"),
            ("task.completed", {"annotation_count": 0}, "INFO", "completed with 0 annotations"),
            ("task.paused", {"message": "No room."}, "INFO", "No room."),
            ("task.warmed_up", {}, "INFO", "warmed up"),
        ],
    )
    def test_every_event_of_a_task_is_a_sentence(
        self, kind: str, data: dict[str, Any], level: str, sentence: str
    ) -> None:
        line = Log("scenes").task(kind, "scenes", attempt=2, **data)[0]
        assert (line.event, line.data["level"], line.data["message"]) == (
            "job.log",
            level,
            f"scenes: {sentence}",
        )


class TestEnds:
    def test_a_complete_job_names_its_results(self) -> None:
        log = Log("scenes", "faces")
        log.task("task.completed", "scenes", annotation_count=3, files=["a_scenes.json"])
        log.task("task.failed", "faces", category="worker_crash", message="Killed.")
        message = "Completed with errors. Failed pipelines: faces"
        (frame,) = log.add("job.completed", "completed", error_message=message)
        assert (frame.event, frame.id) == ("job.complete", "j:4")
        assert frame.data == {
            "type": "job.complete",
            "job_id": "j",
            "status": "completed",
            "progress": 100.0,
            "timestamp": "2026-11-24T12:00:03.000Z",
            "completion_time": "2026-11-24T12:00:03.000Z",
            "artifacts": ["a_scenes.json"],
            "results": {"scenes": {"annotation_count": 3, "files": ["a_scenes.json"]}},
            "error_message": message,
            "failures": {"faces": {"category": "worker_crash", "message": "Killed."}},
        }

    def test_a_failed_job_has_code_and_message(self) -> None:
        log = Log("scenes")
        log.task("task.failed", "scenes", category="decode_error", message="No frames.")
        (frame,) = log.add("job.failed", "failed", error_message="All pipelines failed. No frames.")
        assert frame.event == "job.error"
        assert frame.data["error_code"] == "DECODE_ERROR"
        assert frame.data["error_message"] == "All pipelines failed. No frames."
        assert frame.data["failures"]["scenes"]["category"] == "decode_error"

    def test_failures_of_several_kinds_have_a_code_of_their_own(self) -> None:
        log = Log("scenes", "faces")
        log.task("task.failed", "scenes", category="decode_error", message="No frames.")
        log.task("task.failed", "faces", category="gpu_oom", message="Full.")
        (frame,) = log.add("job.failed", "failed")
        assert (frame.data["error_code"], frame.data["error_message"]) == ("JOB_FAILED", "The job failed")

    def test_cancelled_and_deleted_have_names_of_their_own(self) -> None:
        log = Log("scenes")
        (cancelled,) = log.add("job.cancelled", "cancelled")
        assert (cancelled.event, cancelled.data["status"]) == ("job.cancelled", "cancelled")
        assert cancelled.data["message"] == "Job cancelled by user request"
        (deleted,) = log.add("job.deleted", "deleted", cause="retention", was="cancelled")
        assert (deleted.data["status"], deleted.data["cause"]) == ("deleted", "retention")
        assert (deleted.event, deleted.data["type"], deleted.id) == ("job.deleted", "job.deleted", "j:3")


def test_an_event_of_a_job_that_is_not_known_here_is_an_update() -> None:
    (frame,) = Log("scenes").add("job.paused", "running")
    assert (frame.event, frame.data["status"]) == ("job.update", "running")


def test_the_document_and_kafka_tell_the_same() -> None:
    facts: dict[str, Any] = {"id": "e", "seq": 1, "type": "job.submitted", "time": BEGIN, "data": {"x": 1}}
    stored = JobEvent(status=JobStatus.PENDING, **facts)
    heard = JobEventMessage(job_id="j", tenant="t", status="pending", **facts)
    for frames in (
        lambda e: event_frames("j", e),
        lambda e: viewer_frames(JobView("j"), fold(JobView("j"), e), e),
    ):
        assert [frame.sse for frame in frames(stored)] == [frame.sse for frame in frames(heard)]


def segment(log: Log, kind: str, index: int, count: int = 3, **data: Any) -> tuple[Frame, ...]:
    return log.add(
        kind, task_id=f"s{index}", pipeline="scenes", attempt=1, segment=index, segments=count, **data
    )


def progressed(log: Log, index: int, fraction: float, epoch: int = 1) -> dict[str, Any]:
    """What our own feed says when a segment tells how far it is."""
    told = telemetry("scenes", fraction, epoch).model_copy(update={"task_id": f"s{index}", "segments": 3})
    after = advance(log.view, told)
    assert after is not None
    log.view = after
    (frame,) = event_progress(after, told)
    return dict(frame.data["data"])


def test_a_pipeline_in_segments_is_one_in_all_figures() -> None:
    log = Log("scenes")
    segment(log, "segment.started", 0, worker="w")
    segment(log, "segment.started", 1, worker="v")
    assert log.view.progress == 0.0
    first = progressed(log, 0, 0.5)
    assert (first["pipeline"], first["fraction"], first["frames_done"]) == ("scenes", 0.125, 7)
    second = progressed(log, 1, 0.5, epoch=2)
    assert (second["fraction"], second["frames_done"], second["epoch"]) == (0.25, 14, 2)
    segment(log, "segment.completed", 0, annotation_count=0, files=[])
    assert log.view.progress == pytest.approx(37.5)
    entry = log.last[0]
    assert entry.data["message"] == "scenes: segment 1 of 3, completed"
    for index in (1, 2):
        segment(log, "segment.completed", index, annotation_count=0, files=[])
    assert log.view.progress == 75.0
    log.task("task.started", "scenes", worker="w")
    log.task("task.completed", "scenes", annotation_count=4, files=["a_scene_detection.json"])
    assert log.view.progress == 100.0
    (done,) = log.add("job.completed", "completed")
    assert done.data["results"] == {"scenes": {"annotation_count": 4, "files": ["a_scene_detection.json"]}}


def test_a_failed_segment_is_told_as_its_pipelines_failure() -> None:
    log = Log("scenes")
    segment(log, "segment.failed", 1, category="decode_error", message="damaged")
    assert log.last[0].data["level"] == "ERROR"
    log.task("task.failed", "scenes", category="decode_error", message="Segment 2 of 3: damaged")
    (end,) = log.add("job.failed", "failed", error_message="All pipelines failed.")
    assert end.data["failures"]["scenes"]["message"] == "Segment 2 of 3: damaged"
    assert log.view.progress == 100.0
