"""The tables of the commands."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from rich import box
from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from frameloom.client.checks import Finding
from frameloom.client.models import ApiKey, Job, JobPage, Pipeline
from frameloom.client.render.output import shown
from frameloom.client.reports import Report

_COLOURS = {
    "completed": "green",
    "failed": "red",
    "cancelled": "yellow",
    "running": "cyan",
    "waiting": "dim",
    "pending": "dim",
    "active": "green",
    "retiring": "yellow",
    "replaced": "dim",
    "expired": "dim",
    "revoked": "dim",
    "ok": "green",
    "warn": "yellow",
    "fail": "red",
}


_WHOLE = ("JOB", "KEY", "STATUS", "SIZE", "CREATED", "EXPIRES", "LAST USED", "PIPELINE", "READY", "STABILITY")
"""Columns that are never folded."""


def word(text: str) -> Text:
    """A status in its colour."""
    return Text(shown(text), style=_COLOURS.get(text, ""))


def plain(text: object) -> Text:
    """Anything as harmless text; nothing for None."""
    return Text("" if text is None else shown(text))


def grid(*columns: str, right: Sequence[str] = (), whole: Sequence[str] = ()) -> Table:
    """Lines on a terminal; bare columns in a pipe, where a program may cut them.

    Args:
        columns: Their names.
        right: Those of numbers.
        whole: Those that are never folded, however narrow the terminal is.
    """
    seen = sys.stdout.isatty()
    table = Table(box=box.SIMPLE_HEAD if seen else None, pad_edge=False, show_edge=False)
    for name in columns:
        table.add_column(
            name,
            justify="right" if name in right else "left",
            overflow="fold",
            no_wrap=name in whole,
            header_style="bold",
        )
    return table


def jobs_table(page: JobPage, *, width: int) -> Table:
    """The list of jobs. An id is never folded: it is there to be copied.

    Args:
        page: The jobs.
        width: Columns of the terminal; on a narrow one less is told, but why a job failed always is.
    """
    noted = any(map(_note, page.jobs))
    return _fitted(
        width,
        {
            "JOB": (0, [plain(job.id) for job in page.jobs]),
            "STATUS": (0, [word(job.status) for job in page.jobs]),
            "VIDEO": (0, [plain(job.video_filename) for job in page.jobs]),
            "SIZE": (124, [plain(_size(job.video_size_bytes)) for job in page.jobs]),
            "PIPELINES": (92, [plain(", ".join(job.selected_pipelines or ())) for job in page.jobs]),
            "CREATED": (112, [plain(_moment(job.created_at)) for job in page.jobs]),
            "NOTE": (0 if noted else 132, [plain(_note(job)) for job in page.jobs]),
        },
    )


def keys_table(keys: Sequence[ApiKey], *, width: int) -> Table:
    """The list of keys, as the list of jobs."""
    return _fitted(
        width,
        {
            "KEY": (0, [plain(key.id) for key in keys]),
            "NAME": (0, [plain(key.name) for key in keys]),
            "BEGINS": (124, [plain(key.prefix) for key in keys]),
            "TENANT": (112, [plain(key.tenant) for key in keys]),
            "SCOPES": (92, [plain(", ".join(key.scopes)) for key in keys]),
            "STATUS": (0, [word(key.status or "") for key in keys]),
            "EXPIRES": (100, [plain(_moment(key.expires_at) or "never") for key in keys]),
            "LAST USED": (150, [plain(_moment(key.last_used_at)) for key in keys]),
        },
    )


def _fitted(width: int, columns: Mapping[str, tuple[int, Sequence[Text]]]) -> Table:
    """A table of the columns that this terminal is wide enough for.

    Args:
        width: Of the terminal.
        columns: By name: from which width on it is shown, and its cells.
    """
    told = {name: cells for name, (needed, cells) in columns.items() if width >= needed}
    table = grid(*told, right=("SIZE",), whole=_WHOLE)
    for cells in zip(*told.values(), strict=True):
        table.add_row(*cells)
    return table


def _size(count: int | None) -> str:
    return "" if count is None else size(count)


def _moment(when: datetime | None) -> str:
    return "" if when is None else moment(when)


def _note(job: Job) -> str:
    return job.error_message or (f"number {job.queue_position} in the queue" if job.queue_position else "")


def results_table(reports: Sequence[Report], *, width: int) -> Table:
    """One row for each pipeline; of several jobs with their videos in front.

    Args:
        reports: One for each job.
        width: Columns of the terminal; where it is too narrow for them, seconds and then numbers of
            annotations are left out, so that the files' names stay whole.
    """
    rows = [(report, name, one) for report in reports for name, one in report.pipelines.items()]
    columns: dict[str, list[Text]] = {
        "VIDEO": [plain(report.label) for report, _, _ in rows] if len(reports) > 1 else [],
        "PIPELINE": [plain(name) for _, name, _ in rows],
        "STATUS": [word(one.status) for _, _, one in rows],
        "ATTEMPTS": [],
        "ANNOTATIONS": [plain(one.annotation_count) for _, _, one in rows],
        "SECONDS": [plain(_seconds(one.processing_time)) for _, _, one in rows],
        "FILE": [Text("\n").join(map(plain, report.file_names(name))) for report, name, _ in rows],
    }
    if any(len(one.attempts) > 1 for _, _, one in rows):
        columns["ATTEMPTS"] = [plain(len(one.attempts) or 1) for _, _, one in rows]
    told = {name: cells for name, cells in columns.items() if cells}
    for spared in ("SECONDS", "ANNOTATIONS"):
        if _width(told) > width:
            told.pop(spared, None)
    table = grid(*told, right=("ATTEMPTS", "ANNOTATIONS", "SECONDS"), whole=("PIPELINE", "STATUS"))
    for cells in zip(*told.values(), strict=True):
        table.add_row(*cells)
    return table


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.2f}"


def _width(columns: Mapping[str, Sequence[Text]]) -> int:
    """Of a table with nothing folded; three blanks stand between columns."""
    widest = [
        max([cell_len(name), *(cell_len(line) for cell in cells for line in cell.plain.split("\n"))])
        for name, cells in columns.items()
    ]
    return sum(widest) + 3 * (len(widest) - 1)


def pipelines_table(pipelines: Sequence[Pipeline], *, width: int) -> Table:
    """The short list of pipelines; on a narrow terminal without what they write."""
    yes, no = Text("yes", style="green"), Text("no", style="yellow")
    return _fitted(
        width,
        {
            "PIPELINE": (0, [plain(one.name) for one in pipelines]),
            "READY": (0, [yes if one.enabled else no for one in pipelines]),
            "STABILITY": (0, [plain(one.stability) for one in pipelines]),
            "OUTPUTS": (100, [plain(_formats(one)) for one in pipelines]),
            "DESCRIPTION": (0, [plain(one.description) for one in pipelines]),
        },
    )


def _formats(one: Pipeline) -> str:
    return ", ".join(str(output.get("format", "?")) for output in one.outputs)


def pipeline_card(one: Pipeline) -> Group:
    """All about one pipeline."""
    title = Text.assemble((shown(one.name), "bold"), "  ", (shown(one.display_name or ""), "dim"))
    facts = [
        ("about", one.description),
        ("family", " / ".join(word for word in (one.pipeline_family, one.variant) if word)),
        ("stability", one.stability or ""),
        ("tasks", ", ".join(one.tasks)),
        ("reads", ", ".join(one.modalities)),
        ("writes", "; ".join(_output(output) for output in one.outputs)),
    ]
    lines: list[RenderableType] = [Text(f"  {name:<10}{shown(value)}") for name, value in facts if value]
    if not one.enabled:
        why = f": {one.unavailable_reason}" if one.unavailable_reason else ""
        lines.append(Text(f"  no live worker can run it now{shown(why)}", style="yellow"))
    settings = settings_table(one)
    if settings.rows:
        lines += [Text(), Padding(settings, (0, 0, 0, 2))]
    return Group(title, *lines, Text())


def _output(output: dict[str, object]) -> str:
    types = output.get("types")
    named = ", ".join(map(str, types)) if isinstance(types, list) else ""
    return f"{output.get('format', '?')}{f' ({named})' if named else ''}"


def settings_table(one: Pipeline) -> Table:
    """The settings that a pipeline takes, from either kind of schema."""
    table = grid("SETTING", "TYPE", "DEFAULT", "RANGE", "MEANING", whole=("SETTING", "TYPE"))
    for key, facts in one.settings.items():
        kinds = [facts.get("type") or "/".join(str(a.get("type")) for a in facts.get("anyOf", ()))]
        table.add_row(
            plain(key),
            plain(kinds[0]),
            plain(json.dumps(facts["default"], ensure_ascii=False) if "default" in facts else ""),
            plain(_range(facts)),
            plain(facts.get("description")),
        )
    return table


def _range(facts: dict[str, object]) -> str:
    if isinstance(facts.get("enum"), list):
        return ", ".join(str(value) for value in facts["enum"])  # type: ignore[attr-defined]
    low = facts.get("minimum", facts.get("exclusiveMinimum"))
    high = facts.get("maximum", facts.get("exclusiveMaximum"))
    if low is None and high is None:
        return ""
    return f"{'' if low is None else low}..{'' if high is None else high}"


def doctor_table(findings: Iterable[Finding]) -> Table:
    """A line for each finding, with what to do below it."""
    table = grid("CHECK", "", "FOUND")
    for one in findings:
        found = Text(shown(one.message))
        if one.advice:
            found.append(f"\n→ {shown(one.advice)}", style="bold")
        table.add_row(plain(one.name), word(one.verdict), found)
    return table


def size(count: int) -> str:
    """Bytes for people, in binary units."""
    amount = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"


def moment(when: datetime) -> str:
    """A time in the user's zone, to the second; the API's times without a zone are UTC."""
    aware = when if when.tzinfo else when.replace(tzinfo=UTC)
    return aware.astimezone().strftime("%Y-%m-%d %H:%M:%S")
