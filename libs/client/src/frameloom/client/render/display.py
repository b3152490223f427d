"""Shows jobs while they run: three kinds of display behind one protocol, and the choice among them."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Protocol, Self

from frameloom.client.models import FeedItem, Job
from frameloom.client.render.output import emit_json, is_live, say
from frameloom.client.render.words import frames, speed
from frameloom.client.tracking import JobView, PipelineView


class Display(Protocol):
    """What a flow tells; used as a context manager around the time in which things move."""

    def __enter__(self) -> Self:
        """Begins to show."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leaves the screen as it is."""

    def step(self, text: str) -> None:
        """Something takes a while, and there is no telling how long."""

    def uploading(self, label: str, total: int) -> Callable[[int], None]:
        """An upload of so many bytes begins; the function returned takes the bytes sent so far."""

    def submitted(self, label: str, job: Job) -> None:
        """The server accepted it."""

    def opened(self, label: str, view: JobView) -> None:
        """A job is watched from now on."""

    def changed(self, label: str, item: FeedItem, view: JobView) -> None:
        """Something happened to a job."""

    def settled(self, label: str, view: JobView) -> None:
        """A job has ended, and this is how."""


def choose(*, as_json: bool) -> Display:
    """JSON lines if asked for, bars on a terminal, plain lines elsewhere."""
    if as_json:
        return JsonLines()
    if is_live():
        from frameloom.client.render.bars import Bars  # noqa: PLC0415 - rich.progress only where it draws

        return Bars()
    return PlainLines()


class _Still:
    """What the displays without a moving part have in common."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


class Silent(_Still):
    """Shows nothing: for a command whose only output is one JSON document."""

    def step(self, text: str) -> None:
        """Nothing."""

    def uploading(self, label: str, total: int) -> Callable[[int], None]:  # noqa: ARG002 - the protocol's
        """Nothing."""
        return _ignore

    def submitted(self, label: str, job: Job) -> None:
        """Nothing."""

    def opened(self, label: str, view: JobView) -> None:
        """Nothing."""

    def changed(self, label: str, item: FeedItem, view: JobView) -> None:
        """Nothing."""

    def settled(self, label: str, view: JobView) -> None:
        """Nothing."""


class JsonLines(Silent):
    """Each event as a line of JSON on standard output; silent otherwise."""

    def uploading(self, label: str, total: int) -> Callable[[int], None]:
        """Nothing is told of an upload under way."""
        _line("client.uploading", video=label, size_bytes=total)
        return _ignore

    def submitted(self, label: str, job: Job) -> None:
        """Which job belongs to which video."""
        _line("client.submitted", video=label, job_id=job.id, job=job.model_dump(mode="json"))

    def changed(self, label: str, item: FeedItem, view: JobView) -> None:  # noqa: ARG002 - the protocol's
        """The event as it came."""
        emit_json(item.model_dump(mode="json", exclude_none=True), pretty=False)


class PlainLines(_Still):
    """Lines on standard error, no more than one each few seconds for each pipeline, no control codes."""

    EVERY_SECONDS = 5.0
    STEP = 0.25

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], tuple[float, float]] = {}
        self._last: dict[tuple[str, str], tuple[str, int]] = {}

    def step(self, text: str) -> None:
        """A line."""
        say(text)

    def uploading(self, label: str, total: int) -> Callable[[int], None]:
        """A line at the start, and one at each quarter of a large file."""
        say(f"{label}: uploading {total:,} bytes")
        marks = [total * quarter // 4 for quarter in (1, 2, 3)] if total >= 64 << 20 else []

        def sent(count: int) -> None:
            while marks and count >= marks[0]:
                say(f"{label}: {marks.pop(0) * 100 / total:.0f}% uploaded")

        return sent

    def submitted(self, label: str, job: Job) -> None:
        """A line with the job's id."""
        say(f"{label}: submitted as job {job.id}")

    def opened(self, label: str, view: JobView) -> None:
        """Nothing: the events follow."""

    def changed(self, label: str, item: FeedItem, view: JobView) -> None:  # noqa: ARG002 - the protocol's
        """A line for each pipeline whose state changed, or that came a good way on."""
        for pipeline in view.pipelines.values():
            self._one(label, pipeline)

    def settled(self, label: str, view: JobView) -> None:
        """Whatever was not told yet, and how the job ended."""
        for pipeline in view.pipelines.values():
            self._one(label, pipeline)
        say(f"{label}: {view.status}")

    def _one(self, label: str, view: PipelineView) -> None:
        key = (label, view.name)
        if self._last.get(key, ("waiting", 1)) != (view.status, view.attempt):
            self._last[key] = (view.status, view.attempt)
            self._told[key] = (time.monotonic(), 0.0)
            say(f"{label}: {view.name} {described(view)}")
            return
        when, fraction = self._told.get(key, (0.0, 0.0))
        due = view.fraction - fraction >= self.STEP or time.monotonic() - when >= self.EVERY_SECONDS
        if view.status == "running" and view.fraction > fraction and due:
            self._told[key] = (time.monotonic(), view.fraction)
            say(f"{label}: {view.name} {described(view)}")


def described(view: PipelineView) -> str:
    """A pipeline's state in words."""
    words = [view.status]
    if view.status == "running" and view.fraction:
        words = [f"{view.fraction * 100:.0f}%"]
    if view.attempt > 1:
        words.append(f"attempt {view.attempt}")
    words += [fact for fact in (frames(view), speed(view)) if fact and not view.ended]
    if view.annotations is not None:
        words.append(f"{view.annotations:,} annotations")
    return ", ".join(words) + (f": {view.trouble}" if view.trouble else "")


def _line(kind: str, **facts: Any) -> None:
    emit_json({"type": kind, **facts}, pretty=False)


def _ignore(count: int) -> None:
    """Takes the bytes sent and tells nobody."""
