"""What is shown of one thing: a job, or what the server thinks of a configuration."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from frameloom.client.models import Job, JobResults, Validation
from frameloom.client.render.output import shown
from frameloom.client.render.tables import grid, moment, plain, results_table, size, word
from frameloom.client.reports import Report


def job_card(job: Job, results: JobResults, *, width: int) -> Group:
    """All about one job, on a terminal of so many columns."""
    took = ""
    if job.created_at and job.completed_at:
        took = duration((job.completed_at - job.created_at).total_seconds())
    facts = [
        ("video", job.video_filename),
        ("size", None if job.video_size_bytes is None else size(job.video_size_bytes)),
        ("duration", None if job.video_duration_seconds is None else duration(job.video_duration_seconds)),
        ("created", None if job.created_at is None else moment(job.created_at)),
        ("completed", None if job.completed_at is None else moment(job.completed_at)),
        ("took", took),
        ("queue", f"number {job.queue_position}" if job.queue_position else None),
        ("config", ", ".join(sorted(job.config)) if job.config else None),
        ("error", job.error_message),
    ]
    report = Report(job.id, results)
    lines: list[RenderableType] = [Text(f"  {name:<10}{shown(value)}") for name, value in facts if value]
    if results.pipeline_results:
        lines += [Text(), Padding(results_table([report], width=width - 2), (0, 0, 0, 2))]
    lines += [Text(f"  {shown(line)}") for line in report.troubles() if line != job.error_message]
    return Group(Text.assemble((shown(job.id), "bold"), "  ", word(job.status)), *lines)


def validation_table(found: Validation) -> Table:
    """What is wrong with a configuration, and what is odd about it."""
    table = grid("", "PIPELINE", "FIELD", "PROBLEM", "WHAT TO DO")
    for items, verdict in ((found.errors, "fail"), (found.warnings, "warn")):
        for one in items:
            mark = word(verdict)
            mark.plain = "error" if verdict == "fail" else "warning"
            advice = one.hint or one.suggestion
            field = one.field.removeprefix(f"{one.pipeline}.")
            table.add_row(mark, plain(one.pipeline), plain(field), plain(one.message), plain(advice))
    return table


def duration(seconds: float) -> str:
    """A time span for people."""
    whole = int(seconds)
    if whole < 60:
        return f"{seconds:.1f} s"
    days, rest = divmod(whole, 86_400)
    clock = f"{rest // 3600}:{rest % 3600 // 60:02d}:{rest % 60:02d}"
    return f"{days} d {clock}" if days else clock
