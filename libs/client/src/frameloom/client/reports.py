"""What became of a job, for the summary at the end and for the exit code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frameloom.client.download import Downloaded
from frameloom.client.errors import ClientError, ExitCode
from frameloom.client.models import JobResults, PipelineResult


@dataclass(frozen=True, slots=True)
class Report:
    """The end of one job, or of the attempt to get one.

    Attributes:
        label: The video, as the user named it; the job where that is not known.
        results: The job's results; None if it came to no job.
        files: What lies on this machine now.
        error: Why it came to no job, or why its files could not be had.
    """

    label: str
    results: JobResults | None = None
    files: tuple[Downloaded, ...] = ()
    error: ClientError | None = None

    @property
    def pipelines(self) -> Mapping[str, PipelineResult]:
        """Results by pipeline."""
        return self.results.pipeline_results if self.results else {}

    @property
    def exit_code(self) -> ExitCode:
        """What this job alone would end the command with."""
        if self.error is not None:
            return self.error.exit_code
        return ExitCode.OK if self.results and self.results.succeeded else ExitCode.JOB_FAILED

    def file_names(self, pipeline: str) -> list[str]:
        """Paths of the downloaded files of a pipeline; else the server's names for them."""
        paths = [str(file.path) for file in self.files if file.pipeline == pipeline]
        return paths or [file.filename for file in self.pipelines[pipeline].downloads]

    def troubles(self) -> list[str]:
        """A line for each pipeline that failed, or that needed more than one attempt."""
        if self.results is None:
            return []
        lines = []
        for name, one in self.pipelines.items():
            if one.status != "completed" and one.error_message:
                category = f" ({one.error_category})" if one.error_category else ""
                lines.append(f"{name} {one.status}{category}: {one.error_message}")
            lines += [f"{name}: attempt {n} ended as {why}" for n, why in _earlier(one)]
        if not lines and self.results.error_message:
            lines.append(self.results.error_message)
        return lines

    def document(self) -> dict[str, Any]:
        """As the ``--json`` output shows it."""
        return {
            "video": self.label,
            "job_id": self.results.job_id if self.results else None,
            "status": self.results.status if self.results else None,
            "results": self.results.model_dump(mode="json") if self.results else None,
            "files": [file.document() for file in self.files],
            "error": self.error.document() if self.error else None,
        }


def worst(reports: Iterable[Report]) -> ExitCode:
    """The exit code of them all: the gravest; a silent server outweighs a refusal, and that a failure."""
    order = [ExitCode.UNREACHABLE, ExitCode.REFUSED, ExitCode.USAGE, ExitCode.MISSING, ExitCode.JOB_FAILED]
    codes = {report.exit_code for report in reports}
    return next((code for code in order if code in codes), ExitCode.OK)


def summary(reports: Sequence[Report], out: Path | None = None) -> dict[str, Any]:
    """The last line of ``--json`` of a command that waits for jobs."""
    return {
        "type": "summary",
        "out": str(out) if out else None,
        "jobs": [report.document() for report in reports],
        "exit_code": int(worst(reports)),
    }


def _earlier(one: PipelineResult) -> list[tuple[Any, str]]:
    """Number and reason of the attempts before the last."""
    return [(attempt.get("number", "?"), _why(attempt)) for attempt in one.attempts[:-1]]


def _why(attempt: Mapping[str, Any]) -> str:
    return str(attempt.get("category") or attempt.get("outcome") or "unknown")
