"""Submitting, listing, showing, cancelling and deleting jobs."""

from __future__ import annotations

from typing import Annotated

from frameloom.common.documents import TaskState
from frameloom.common.machines.job import CANCELLED_MESSAGE
from frameloom.gateway.http.forms import Parts
from frameloom.gateway.http.typed import FormOf, FromPath, FromQuery
from frameloom.gateway.schemas.jobs import (
    Body_submit_job_api_v1_jobs__post,
    CancelResponse,
    JobByUrl,
    JobListResponse,
    JobResponse,
    ListQuery,
)
from frameloom.gateway.services.caller import Caller
from frameloom.gateway.services.jobs import JobService, Placed
from frameloom.gateway.services.submission import SubmissionService


class JobHandlers:
    """The jobs of the caller."""

    def __init__(self, jobs: JobService, submissions: SubmissionService) -> None:
        self._jobs = jobs
        self._submissions = submissions

    async def submit(
        self, caller: Caller, parts: Annotated[Parts, FormOf(Body_submit_job_api_v1_jobs__post, JobByUrl)]
    ) -> JobResponse:
        """Submit a media file for annotation. The parts of the form may come in any order.

        The file is streamed; it is refused when it is empty, too large, or no media file. Where the operator
        allows it, `video_url` can name a file instead, which the server fetches before it answers.
        """
        job = await self._submissions.submit(caller, parts)
        return shown(await self._jobs.placed(job))

    async def list_jobs(self, caller: Caller, query: FromQuery[ListQuery]) -> JobListResponse:
        """List the jobs, oldest first."""
        found = await self._jobs.page(
            caller, page=query.page, per_page=query.per_page, status=query.status_filter
        )
        return JobListResponse(
            jobs=[shown(placed) for placed in found.jobs],
            total=found.total,
            page=query.page,
            per_page=query.per_page,
        )

    async def get(self, caller: Caller, job_id: FromPath[str]) -> JobResponse:
        """Show a job."""
        return shown(await self._jobs.placed(await self._jobs.get(caller, job_id)))

    async def cancel(self, caller: Caller, job_id: FromPath[str]) -> CancelResponse:
        """Cancel a job. What runs is stopped at once; cancelling again changes nothing."""
        job = await self._jobs.cancel(caller, job_id)
        return CancelResponse(
            **dict(shown(await self._jobs.placed(job))),
            job_id=job.id,
            message=job.error_message or CANCELLED_MESSAGE,
            cancelled_at=job.completed_at,
        )

    async def delete(self, caller: Caller, job_id: FromPath[str]) -> None:
        """Delete a job in any status, with its media and results. What runs is stopped at once.

        From the answer on nobody finds it, and deleting it again is a 404.
        """
        await self._jobs.delete(caller, job_id)


def shown(placed: Placed) -> JobResponse:
    """A job as the API shows it."""
    job = placed.job
    seconds = job.video_duration_seconds
    folder = job.media.key.rpartition("/")[0]
    return JobResponse(
        id=job.id,
        status=job.status.value,
        # Opaque, but clients take the file name from its end.
        video_path=f"{folder}/{job.media.filename}",
        video_filename=job.media.filename,
        video_size_bytes=job.media.size_bytes,
        video_duration_seconds=None if seconds is None else round(seconds),
        config=job.config,
        selected_pipelines=list(job.selected_pipelines),
        created_at=job.created_at,
        completed_at=job.completed_at,
        error_message=job.error_message,
        result_path=results_path(job.id) if _has_results(placed) else None,
        storage_path=folder,
        queue_position=placed.queue_position,
    )


def results_path(job_id: str) -> str:
    """Where a job's results are told."""
    return f"/api/v1/jobs/{job_id}/results"


def _has_results(placed: Placed) -> bool:
    return any(task.state is TaskState.COMPLETED for task in placed.job.tasks)
