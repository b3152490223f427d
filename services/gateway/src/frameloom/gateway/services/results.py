"""What a job's pipelines have brought, and the files of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from frameloom.common.documents import (
    Artefact,
    Attempt,
    JobDocument,
    JobStatus,
    TaskState,
    TaskSummary,
)
from frameloom.common.ports.stores import TaskStore
from frameloom.common.text import cut
from frameloom.gateway.errors import InvalidRequestError, ResultFileNotFoundError
from frameloom.gateway.services.caller import Caller
from frameloom.gateway.services.catalogue import Catalogue
from frameloom.gateway.services.jobs import JobService

_WORDS = {
    TaskState.WAITING: "pending",
    TaskState.QUEUED: "pending",
    TaskState.RUNNING: "running",
    TaskState.FINALIZING: "running",
    TaskState.COMPLETED: "completed",
    TaskState.FAILED: "failed",
    TaskState.CANCELLED: "cancelled",
}


@dataclass(frozen=True, slots=True)
class PipelineOutcome:
    """One pipeline of a job: its status in the words of the API, its task if planned, its attempts."""

    pipeline: str
    status: str
    task: TaskSummary | None
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True)
class JobOutcome:
    """A job and its pipelines, in the order they were named."""

    job: JobDocument
    pipelines: tuple[PipelineOutcome, ...]


class ResultService:
    """Reads results; only what the visibility flip has shown is shown here."""

    def __init__(self, jobs: JobService, tasks: TaskStore, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._jobs = jobs
        self._tasks = tasks

    async def outcome(self, caller: Caller, job_id: str) -> JobOutcome:
        """How each pipeline of a job stands.

        Raises:
            JobNotFoundError: There is no such job.
        """
        job = await self._jobs.get(caller, job_id)
        attempts: dict[str, tuple[Attempt, ...]] = defaultdict(tuple)
        for task in await self._tasks.of_job(job_id):
            attempts[task.id] = task.attempts
        summaries = {summary.pipeline: summary for summary in job.tasks}
        pipelines = []
        for name in job.selected_pipelines:
            summary = summaries.get(name)
            tried = attempts[summary.id] if summary else ()
            pipelines.append(PipelineOutcome(name, _status(job, summary), summary, tried))
        return JobOutcome(job, tuple(pipelines))

    async def artefact(self, caller: Caller, job_id: str, pipeline: str, filename: str | None) -> Artefact:
        """One file of a pipeline's result; the first unless named. The pipeline may be named by an alias.

        Raises:
            JobNotFoundError: There is no such job.
            InvalidRequestError: The pipeline has no result, with the reason.
            ResultFileNotFoundError: It has no file of this name.
        """
        job = await self._jobs.get(caller, job_id)
        if pipeline not in job.selected_pipelines:
            pipeline = (await self._catalogue.known()).names.resolve(pipeline) or pipeline
        summary = next((task for task in job.tasks if task.pipeline == pipeline), None)
        artefacts: Sequence[Artefact] = summary.result.artefacts if summary and summary.result else ()
        if not artefacts:
            why, hint = _why_nothing(job, pipeline, summary)
            raise InvalidRequestError(
                why, hint=hint, detail={"job_id": job_id, "pipeline_name": cut(pipeline)}
            )
        if filename is None:
            return artefacts[0]
        for artefact in artefacts:
            if artefact.filename == filename:
                return artefact
        names = [artefact.filename for artefact in artefacts]
        raise ResultFileNotFoundError(
            f"{pipeline} has no file {cut(filename)}",
            hint=f"Choose among: {', '.join(names)}",
            detail={"files": names},
        )


def _status(job: JobDocument, summary: TaskSummary | None) -> str:
    if summary is not None and summary.state.terminal:
        return _WORDS[summary.state]
    if job.status is JobStatus.CANCELLED:
        return "cancelled"  # its tasks follow, but nothing of them will show any more
    if summary is not None and any(p.pipeline == summary.pipeline and p.started_at for p in job.segments):
        return "running"  # some of its segments, or what stitches them
    return _WORDS[summary.state] if summary else "pending"


def _why_nothing(job: JobDocument, pipeline: str, summary: TaskSummary | None) -> tuple[str, str]:
    """Why a pipeline has no file, and what to do about it."""
    if pipeline not in job.selected_pipelines:
        chosen = ", ".join(job.selected_pipelines)
        return f"Pipeline {cut(pipeline)} is no part of job {job.id}; it runs: {chosen}", "Name one of these."
    status = _status(job, summary)
    shown = f"GET /api/v1/jobs/{job.id}/results shows how each pipeline stands."
    if status in {"pending", "running"}:
        return f"Pipeline {pipeline} is {status}: its file is there once it has completed", shown
    if status == "failed" and summary and summary.failure:
        return f"Pipeline {pipeline} failed and has no file: {summary.failure.message}", shown
    return f"Pipeline {pipeline} is {status} and has no file", shown
