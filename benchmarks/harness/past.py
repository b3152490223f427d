"""Jobs that are over, as they stand in the database: for measurements that need many of them."""

from __future__ import annotations

from datetime import datetime, timedelta

from frameloom.common.clock import new_id, task_id
from frameloom.common.documents import (
    Artefact,
    JobDocument,
    JobStatus,
    MediaRef,
    TaskEvent,
    TaskResult,
    TaskState,
)
from frameloom.common.machines import job as jobs

_PIPELINE = "scene_detection"


def finished(created_at: datetime, tenant: str = "default") -> JobDocument:
    """A job of that time with one pipeline, which went through all its changes."""
    created_at = created_at.replace(microsecond=created_at.microsecond // 1000 * 1000)
    job_id = new_id()
    media = MediaRef(
        key=f"media/{job_id}/source",
        filename="clip.mp4",
        size_bytes=32_000,
        sha256="0" * 64,
        content_type="video/mp4",
    )
    submission = jobs.Submission(
        job_id=job_id, tenant=tenant, media=media, pipelines=(_PIPELINE,), config={_PIPELINE: {}}
    )
    job = jobs.submit(submission, created_at)
    tasks = jobs.plan_tasks(job, created_at)
    job = jobs.planned(job, tasks, created_at).after
    (task,) = tasks
    began, ended = (created_at + timedelta(milliseconds=n) for n in (100, 250))
    prefix = f"results/{job_id}/{_PIPELINE}/000001"
    artefact = Artefact(
        key=f"{prefix}/artefact_{_PIPELINE}.json",
        filename=f"clip_{_PIPELINE}.json",
        format="COCO",
        media_type="application/json",
        size_bytes=1800,
        sha256="0" * 64,
        annotation_count=2,
    )
    steps = ((1, "task.started", began), (2, "task.completed", ended))
    over = task.model_copy(
        update={
            "rev": 3,
            "state": TaskState.COMPLETED,
            "started_at": began,
            "ended_at": ended,
            "result": TaskResult(
                epoch=1,
                manifest_key=f"{prefix}/manifest.json",
                artefacts=(artefact,),
                annotation_count=2,
                media_seconds=3.0,
            ),
            "outbox": tuple(
                TaskEvent(
                    id=task_id(job_id, kind), rev=rev, type=kind, time=when, data={"pipeline": _PIPELINE}
                )
                for rev, kind, when in steps
            ),
        }
    )
    done = jobs.fold(job, [over], ended).after
    assert done.status is JobStatus.COMPLETED
    return done.model_copy(update={"tidied": True, "relay_due": False, "relayed_seq": done.seq})
