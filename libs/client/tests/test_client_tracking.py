"""Folding events into what a watcher sees."""

from __future__ import annotations

import pytest

from frameloom.client.models import JobEvent, JobResults, TaskProgress
from frameloom.client.render.display import described
from frameloom.client.reports import Report, worst
from frameloom.client.tracking import JobView, fold, settle


def _event(kind: str, **data) -> JobEvent:
    return JobEvent(job_id="j", type=kind, status="running", seq=1, data={"pipeline": "face", **data})


def _progress(fraction: float, media: float, epoch: int = 1) -> TaskProgress:
    progress = {"stage": "detecting", "fraction": fraction, "frames_done": 10, "media_seconds_done": media}
    return TaskProgress.model_validate(
        {"job_id": "j", "pipeline": "face", "epoch": epoch, "progress": progress}
    )


def _fold(view: JobView, *timed) -> JobView:
    for now, item in timed:
        view = fold(view, item, now)
    return view


START = JobView.of("j", ["face"])


def test_speed_is_media_seconds_per_second_since_the_first_progress():
    view = _fold(
        START, (0, _event("task.started", attempt=1)), (1, _progress(0.1, 4)), (3, _progress(0.5, 24))
    )
    assert view["face"].speed == pytest.approx(10.0)
    assert view["face"].fraction == 0.5
    assert described(view["face"]) == "50%, 10 frames, 10.0× real time"


def test_one_progress_tells_no_speed():
    assert _fold(START, (1, _progress(0.1, 4)))["face"].speed is None


def test_progress_of_an_older_claim_is_passed_over():
    view = _fold(START, (0, _progress(0.2, 4, epoch=2)), (1, _progress(0.9, 40, epoch=1)))
    assert view["face"].fraction == 0.2


def test_a_new_claim_starts_over():
    view = _fold(
        START,
        (0, _progress(0.5, 10)),
        (2, _progress(0.8, 30)),
        (3, _event("task.retrying", attempt=1, message="The worker was lost")),
        (4, _event("task.started", attempt=2)),
        (5, _progress(0.1, 3, epoch=2)),
    )
    one = view["face"]
    assert (one.attempt, one.fraction, one.speed, one.status) == (2, 0.1, None, "running")


def test_waiting_for_another_attempt_says_why():
    view = _fold(START, (0, _event("task.retrying", attempt=1, message="The worker was lost")))
    assert described(view["face"]) == "waiting: The worker was lost"


def test_late_progress_does_not_wake_an_ended_pipeline():
    view = _fold(START, (0, _event("task.completed", annotation_count=7)), (1, _progress(0.3, 1)))
    assert (view["face"].status, view["face"].fraction, view["face"].annotations) == ("completed", 1.0, 7)


def test_pipelines_become_known_from_the_submission():
    event = JobEvent(job_id="j", type="job.submitted", data={"pipelines": ["a", "b"]})
    assert list(fold(JobView.of("j", ()), event, 0).pipelines) == ["a", "b"]


def test_unknown_events_change_nothing_else():
    view = fold(START, _event("task.pondered"), 0)
    assert view.pipelines == START.pipelines


RESULTS = {
    "job_id": "j",
    "status": "completed",
    "error_message": "Completed with errors. Failed pipelines: face",
    "pipeline_results": {
        "face": {
            "pipeline_name": "face",
            "status": "failed",
            "error_category": "gpu_oom",
            "error_message": "No room",
            "attempts": [{"number": 1, "outcome": "failed", "category": "worker_lost"}, {"number": 2}],
        },
        "scene": {"pipeline_name": "scene", "status": "completed", "annotation_count": 2},
    },
}


def test_the_final_answer_covers_what_no_event_told():
    view = settle(START, JobResults.model_validate(RESULTS))
    assert (view["face"].status, view["scene"].annotations, view.status) == ("failed", 2, "completed")


def test_a_job_with_a_failed_pipeline_has_not_succeeded_and_says_why():
    report = Report("clip.mp4", JobResults.model_validate(RESULTS))
    assert worst([report]) == 1
    assert report.troubles() == ["face failed (gpu_oom): No room", "face: attempt 1 ended as worker_lost"]


def test_facts_of_a_newer_server_are_kept():
    results = JobResults.model_validate(RESULTS | {"novel": 1})
    assert results.model_dump(mode="json")["novel"] == 1
