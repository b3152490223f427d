"""A live bar for each pipeline, on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TaskID, TextColumn
from rich.text import Text

from frameloom.client.models import FeedItem, Job
from frameloom.client.render.output import console, shown
from frameloom.client.render.tables import size
from frameloom.client.render.words import frames, speed
from frameloom.client.tracking import JobView, PipelineView

_WIDE = 100
"""Columns from which on bars are longer; on a narrower terminal the words beside them need the room."""
_STYLES = {"completed": "green", "failed": "red", "cancelled": "yellow", "running": "cyan"}


class Bars:
    """The display of a terminal: bars on standard error, left standing at the end."""

    def __init__(self) -> None:
        self._console = console(sys.stderr)
        self._progress = Progress(
            _Mark(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=28 if self._console.width >= _WIDE else 16),
            _Percent(),
            _Fact("frames", right=True),
            _Fact("speed", right=True),
            _Elapsed(),
            _Fact("note"),
            console=self._console,
            refresh_per_second=8,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._bars: dict[tuple[str, str], TaskID] = {}
        self._several = False
        self._step: TaskID | None = None

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end_step()
        for bar in self._progress.tasks:
            self._progress.update(bar.id, visible=True)
            self._progress.stop_task(bar.id)
        self._progress.stop()

    def step(self, text: str) -> None:
        """A bar that only shows that something goes on, until the next thing begins."""
        self._end_step()
        self._step = self._progress.add_task(shown(text), total=None)

    def uploading(self, label: str, total: int) -> Callable[[int], None]:
        """A bar for the upload."""
        self._end_step()
        self._several = self._several or bool(self._bars)
        bar = self._add(label, "upload", total=total)
        self._progress.update(bar, note="uploading")

        def sent(count: int) -> None:
            # The form around the file is not counted, so the file's end is the end.
            done = min(count, total)
            self._progress.update(bar, completed=done, frames=f"{size(done)} of {size(total)}")

        return sent

    def submitted(self, label: str, job: Job) -> None:
        """The upload's bar goes, and the job's id stays above the bars."""
        bar = self._bars.pop((label, "upload"), None)
        if bar is not None:
            self._progress.remove_task(bar)
        self._console.print(Text(shown(f"{label}: job {job.id}"), style="dim"))

    def opened(self, label: str, view: JobView) -> None:
        """A waiting bar for each pipeline that is known yet."""
        self._end_step()
        self._draw(label, view)

    def changed(self, label: str, item: FeedItem, view: JobView) -> None:  # noqa: ARG002 - the protocol's
        """Moves the bars of the job."""
        self._draw(label, view)

    def settled(self, label: str, view: JobView) -> None:
        """The last state of the bars."""
        self._draw(label, view)

    def _draw(self, label: str, view: JobView) -> None:
        for one in view.pipelines.values():
            bar = self._bars.get((label, one.name))
            if bar is None:
                bar = self._add(label, one.name, total=1.0)
            self._move(bar, one)

    def _add(self, label: str, name: str, *, total: float) -> TaskID:
        several = self._several or any(known != label for known, _ in self._bars)
        self._several = several
        title = f"{label}  {name}" if several or name == "upload" else name
        started = name == "upload"
        bar = self._progress.add_task(shown(title), total=total, start=started, status="waiting")
        self._bars[label, name] = bar
        return bar

    def _move(self, bar: TaskID, view: PipelineView) -> None:
        task = self._progress.tasks[self._progress.task_ids.index(bar)]
        if view.status == "running" and task.start_time is None:
            self._progress.start_task(bar)
        # Without a figure yet the bar swings: it works, and nobody knows how far it is.
        unknown = view.status == "running" and not view.fraction
        crowded = len(self._bars) > max(4, self._console.height - 3)
        self._progress.update(
            bar,
            total=None if unknown else 1.0,
            completed=view.fraction,
            status=view.status,
            frames=frames(view),
            speed=speed(view),
            note=_note(view),
            visible=not (crowded and view.ended),
        )
        if view.ended:
            self._progress.stop_task(bar)

    def _end_step(self) -> None:
        if self._step is not None:
            self._progress.remove_task(self._step)
            self._step = None


class _Fact(ProgressColumn):
    """A field of the bar, or nothing."""

    def __init__(self, name: str, *, right: bool = False) -> None:
        super().__init__()
        self._name = name
        self._justify = "right" if right else "left"

    def render(self, task: Task) -> Text:
        """The field's text, harmless."""
        text = Text(shown(task.fields.get(self._name) or ""), overflow="ellipsis", no_wrap=True)
        text.justify = "right" if self._justify == "right" else "left"
        if self._name == "note":
            text.style = _STYLES.get(str(task.fields.get("status")), "dim")
        return text


class _Elapsed(ProgressColumn):
    """Time since it began; nothing before."""

    def render(self, task: Task) -> Text:
        """Minutes and seconds."""
        seconds = task.finished_time if task.finished else task.elapsed
        if seconds is None:
            return Text()
        return Text(f"{int(seconds) // 60}:{int(seconds) % 60:02d}", style="dim", justify="right")


class _Percent(ProgressColumn):
    """How far, where that is known."""

    def render(self, task: Task) -> Text:
        """Per cent, or blanks as wide."""
        known = task.total and task.start_time is not None
        return Text(f"{task.percentage:>4.0f}%" if known else "     ", style="bold")


class _Mark(SpinnerColumn):
    """Turns while it runs; then says how it ended."""

    _ENDS = {"completed": ("✓", "green"), "failed": ("✗", "red"), "cancelled": ("–", "yellow")}  # noqa: RUF012

    def render(self, task: Task) -> Text:
        """One cell."""
        end = self._ENDS.get(str(task.fields.get("status")))
        if end is not None:
            return Text(*end)
        if task.start_time is None:
            return Text("·", style="dim")
        turning = super().render(task)
        return turning if isinstance(turning, Text) else Text(" ")


def _note(view: PipelineView) -> str:
    if view.status == "running":
        words = [view.stage or "running"]
    elif view.status == "completed" and view.annotations is not None:
        words = [f"{view.annotations:,} annotations"]
    else:
        words = [view.status]
    if view.attempt > 1:
        words.append(f"attempt {view.attempt}")
    return ", ".join(words) + (f": {view.trouble}" if view.trouble else "")
