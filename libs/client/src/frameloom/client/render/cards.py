"""What is shown of one thing: a job, a verdict, the server."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from frameloom.client.models import Job, JobResults, SystemHealth, Validation
from frameloom.client.render.output import shown
from frameloom.client.render.tables import grid, moment, plain, results_table, size, word
from frameloom.client.reports import Report


def job_card(job: Job, results: JobResults) -> Group:
    """All about one job."""
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
        lines += [Text(), Padding(results_table([report]), (0, 0, 0, 2))]
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
            table.add_row(mark, plain(one.pipeline), plain(one.field), plain(one.message), plain(advice))
    return table


def health_table(found: SystemHealth) -> Table:
    """A line for the server and one for each part of it."""
    table = grid("PART", "", "FACTS")
    facts = [
        f"version {found.api_version}" if found.api_version else "",
        f"up {duration(found.uptime_seconds)}" if found.uptime_seconds is not None else "",
    ]
    table.add_row(plain("server"), word(found.status), plain("; ".join(filter(None, facts))))
    for name in ("system", "database", "gpu", "pipelines", "workers", "services", "security"):
        part: dict[str, Any] = getattr(found, name)
        if part:
            status = part.get("status")
            mark = word(str(status)) if isinstance(status, str) else plain("")
            table.add_row(plain(name), mark, plain(_facts(part)))
    return table


def _facts(part: dict[str, Any]) -> str:
    return "; ".join(
        f"{key.replace('_', ' ')} {_fact(value)}"
        for key, value in part.items()
        if key != "status" and value not in (None, "", [], {})
    )


def _fact(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.1f}"
    if isinstance(value, dict):
        return f"({_facts(value)})"
    if isinstance(value, list):
        return ", ".join(_fact(one) for one in value)
    return str(value)


def duration(seconds: float) -> str:
    """A time span for people."""
    whole = int(seconds)
    if whole < 60:
        return f"{seconds:.1f} s"
    days, rest = divmod(whole, 86_400)
    clock = f"{rest // 3600}:{rest % 3600 // 60:02d}:{rest % 60:02d}"
    return f"{days} d {clock}" if days else clock
