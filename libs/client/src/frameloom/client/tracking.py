"""How a job stands, folded from its events: pure, so that bars, lines and tests share it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from frameloom.client.models import FeedItem, JobEvent, JobResults, TaskProgress

_SETTLED_SECONDS = 0.3
"""A speed measured over less than this says nothing."""

_WORDS = {
    "task.started": "running",
    "task.retrying": "waiting",
    "task.released": "waiting",
    "task.completed": "completed",
    "task.failed": "failed",
    "task.cancelled": "cancelled",
}


@dataclass(frozen=True, slots=True)
class PipelineView:
    """One pipeline of a job, as a watcher sees it.

    Attributes:
        name: The pipeline.
        status: waiting, running, completed, failed or cancelled.
        attempt: Counts from 1.
        epoch: Claim that the progress belongs to; progress of an older claim is passed over.
        stage: The worker's word for what it does.
        fraction: Of the work, 0 to 1.
        frames: Frames done.
        media_seconds: Seconds of the media done.
        speed: Media seconds per second; None until it is known.
        annotations: How many there are, once completed.
        trouble: Why it failed or is tried again.
        anchor: Clock and media seconds at the first progress of the claim, for the speed.
    """

    name: str
    status: str = "waiting"
    attempt: int = 1
    epoch: int = 0
    stage: str = ""
    fraction: float = 0.0
    frames: int = 0
    media_seconds: float = 0.0
    speed: float | None = None
    annotations: int | None = None
    trouble: str = ""
    anchor: tuple[float, float] | None = None

    @property
    def ended(self) -> bool:
        """Nothing more will happen to it."""
        return self.status in {"completed", "failed", "cancelled"}


@dataclass(frozen=True, slots=True)
class JobView:
    """A job, as a watcher sees it."""

    job_id: str
    status: str = "pending"
    trouble: str = ""
    pipelines: dict[str, PipelineView] = field(default_factory=dict)

    @classmethod
    def of(cls, job_id: str, pipelines: Iterable[str], *, status: str = "pending") -> JobView:
        """The view before the first event."""
        return cls(job_id=job_id, status=status, pipelines={name: PipelineView(name) for name in pipelines})

    def __getitem__(self, name: str) -> PipelineView:
        return self.pipelines.get(name) or PipelineView(name)

    def with_pipeline(self, view: PipelineView) -> JobView:
        """The same with one pipeline changed."""
        return replace(self, pipelines=self.pipelines | {view.name: view})


def fold(view: JobView, item: FeedItem, now: float) -> JobView:
    """The view after an item of the feed.

    Args:
        view: The view before.
        item: What came.
        now: A monotonic clock, in seconds.
    """
    if isinstance(item, TaskProgress):
        return view.with_pipeline(_advanced(view[item.pipeline], item, now))
    view = replace(view, status=item.status or view.status)
    if item.type.startswith("job."):
        return _folded_job(view, item)
    if item.pipeline is None or item.type not in _WORDS:
        return view
    return view.with_pipeline(_changed(view[item.pipeline], item))


def settle(view: JobView, results: JobResults) -> JobView:
    """The view after the final answer, which also covers events that never came."""
    for name, result in results.pipeline_results.items():
        done = result.status == "completed"
        view = view.with_pipeline(
            replace(
                view[name],
                status=result.status,
                fraction=1.0 if done else view[name].fraction,
                annotations=result.annotation_count,
                trouble=result.error_message or "",
            )
        )
    return replace(view, status=results.status, trouble=results.error_message or "")


def _folded_job(view: JobView, event: JobEvent) -> JobView:
    word = event.type.partition(".")[2]
    named = event.data.get("pipelines")
    if isinstance(named, list):
        known = {name: view[name] for name in named if isinstance(name, str)}
        view = replace(view, pipelines=view.pipelines | known)
    if event.ends_job:
        view = replace(view, status=word, trouble=str(event.data.get("error_message") or ""))
    return view


def _advanced(view: PipelineView, item: TaskProgress, now: float) -> PipelineView:
    if view.ended or item.epoch < view.epoch:
        return view
    done = item.progress
    fresh = view.anchor is None or item.epoch > view.epoch
    anchor = (now, done.media_seconds_done) if fresh or view.anchor is None else view.anchor
    passed = now - anchor[0]
    speed = (done.media_seconds_done - anchor[1]) / passed if passed >= _SETTLED_SECONDS else None
    return replace(
        view,
        status="running",
        epoch=item.epoch,
        stage=done.stage,
        fraction=min(1.0, max(0.0, done.fraction)),
        frames=done.frames_done,
        media_seconds=done.media_seconds_done,
        speed=(speed or None) if speed is not None else (None if fresh else view.speed),
        anchor=anchor,
    )


def _changed(view: PipelineView, event: JobEvent) -> PipelineView:
    status = _WORDS[event.type]
    attempt = event.data.get("attempt")
    count = event.data.get("annotation_count")
    starts_over = status in {"running", "waiting"}
    return replace(
        view,
        status=status,
        attempt=attempt if isinstance(attempt, int) else view.attempt,
        stage="" if starts_over else view.stage,
        fraction=1.0 if status == "completed" else 0.0 if starts_over else view.fraction,
        # The last progress may come after the end, so the count of frames may be short: then none is shown.
        frames=view.frames if status != "completed" or view.fraction >= 1.0 else 0,
        annotations=count if isinstance(count, int) else view.annotations,
        trouble=str(event.data.get("message") or "") if status != "completed" else "",
        anchor=None if starts_over else view.anchor,
        speed=None if starts_over else view.speed,
    )
