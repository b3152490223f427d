"""The end of a command that waited for jobs: a table, what went wrong, and where the files lie."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from frameloom.client.mode import MODE
from frameloom.client.render.output import console, emit_json, is_live, say, say_error, show
from frameloom.client.reports import Report, summary


def tell(reports: Sequence[Report], *, out: Path | None = None) -> None:
    """Shows how the jobs ended: the table on standard output, troubles on standard error.

    Args:
        reports: One for each video or job.
        out: Where the files were put, if they were fetched.
    """
    if MODE.json:
        emit_json(summary(reports, out), pretty=False)
    elif any(report.pipelines for report in reports):
        from frameloom.client.render.tables import results_table  # noqa: PLC0415 - not for --json

        if is_live():
            say("")
        show(results_table(reports, width=console(sys.stdout).width))
    for report in reports:
        prefix = f"{report.label}: " if len(reports) > 1 else ""
        for line in report.troubles():
            say(f"{prefix}{line}")
        if report.error is not None:
            say_error(f"{prefix}{report.error.message}", report.error.hint)
    count = sum(len(report.files) for report in reports)
    if out is not None and count and not MODE.json:
        say(f"{count} file{'s' * (count != 1)} in {out.resolve()}")
