"""A download under way: a bar on a terminal, else a line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from frameloom.client.fetching import OnProgress
from frameloom.client.render.output import console, is_live, say, shown
from frameloom.client.render.tables import size

_EVERY_SECONDS = 5.0


@contextmanager
def transfer(label: str, *, quiet: bool) -> Iterator[OnProgress | None]:
    """Shows how much has arrived while it is open.

    Args:
        label: What arrives.
        quiet: Show nothing.
    """
    if quiet:
        yield None
    elif is_live():
        with _bar(label) as on_progress:
            yield on_progress
    else:
        yield _lines(label)


@contextmanager
def _bar(label: str) -> Iterator[OnProgress]:
    from rich.progress import (  # noqa: PLC0415 - rich.progress only where it draws
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TransferSpeedColumn,
    )

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=28),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
    )
    with Progress(*columns, console=console(sys.stderr), transient=True, redirect_stdout=False) as progress:
        bar = progress.add_task(shown(label), total=None)
        yield lambda done, total: progress.update(bar, completed=done, total=total)


@contextmanager
def drawing(label: str, *, quiet: bool) -> Iterator[Callable[[float, float], None] | None]:
    """Shows how far a film is while it is open: seconds of it done, and in all.

    Args:
        label: What is drawn.
        quiet: Show nothing.
    """
    if quiet or not is_live():
        yield None if quiet else _seconds(label)
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn  # noqa: PLC0415
    from rich.progress import TimeRemainingColumn as Remaining  # noqa: PLC0415

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(28),
        TaskProgressColumn(),
        Remaining(),
    )
    with Progress(*columns, console=console(sys.stderr), transient=True, redirect_stdout=False) as progress:
        bar = progress.add_task(shown(label), total=None)
        yield lambda done, total: progress.update(bar, completed=done, total=total or None)


def _seconds(label: str) -> Callable[[float, float], None]:
    last = time.monotonic()

    def tell(done: float, total: float) -> None:
        nonlocal last
        if time.monotonic() - last >= _EVERY_SECONDS:
            last = time.monotonic()
            say(f"{label}: {done:.0f} of {total:.0f} s")

    return tell


def _lines(label: str) -> OnProgress:
    last = time.monotonic()

    def tell(done: int, total: int | None) -> None:
        nonlocal last
        if time.monotonic() - last >= _EVERY_SECONDS:
            last = time.monotonic()
            say(f"{label}: {size(done)}{f' of {size(total)}' if total else ''}")

    return tell
