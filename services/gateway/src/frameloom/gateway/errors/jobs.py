"""Why a job or its files can not be had."""

from __future__ import annotations

from frameloom.common.errors import ConflictError, NotFoundError


class JobAlreadyCompletedError(ConflictError):
    """The job is over: it can not be cancelled any more."""

    code = "JOB_ALREADY_COMPLETED"

    def __init__(self, job_id: str, status: str) -> None:
        super().__init__(
            f"Job {job_id} is already {status}",
            hint="Only pending and running jobs can be cancelled.",
            detail={"job_id": job_id, "status": status},
        )


class NoArtifactsError(NotFoundError):
    """Nothing of the job is in the store, or not any more."""

    code = "HTTP_ERROR"

    def __init__(self, job_id: str) -> None:
        super().__init__(
            f"No artifacts found for job {job_id}",
            hint="Its media could not be read, or were removed, and no pipeline has a result.",
            detail={"job_id": job_id},
        )


class ResultFileNotFoundError(NotFoundError):
    """The pipeline has results, but no file of this name."""

    code = "RESULT_FILE_NOT_FOUND"
