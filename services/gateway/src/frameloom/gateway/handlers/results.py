"""Results of a job and their files."""

from __future__ import annotations

from urllib.parse import quote

from frameloom.common.documents import Artefact, Attempt
from frameloom.gateway.handlers.jobs import results_path
from frameloom.gateway.http.files import FileDownload
from frameloom.gateway.http.ranges import attachment
from frameloom.gateway.http.typed import FromPath, FromQuery
from frameloom.gateway.schemas.jobs import (
    AttemptResponse,
    FileQuery,
    JobResultsResponse,
    PipelineResultResponse,
    ResultFileResponse,
)
from frameloom.gateway.services.caller import Caller
from frameloom.gateway.services.files import FileStore
from frameloom.gateway.services.results import PipelineOutcome, ResultService


class ResultHandlers:
    """What a job has brought."""

    def __init__(self, results: ResultService, store: FileStore) -> None:
        self._results = results
        self._store = store

    async def results(self, caller: Caller, job_id: FromPath[str]) -> JobResultsResponse:
        """Show how each pipeline of a job stands, with its files and every attempt. Any state will do."""
        outcome = await self._results.outcome(caller, job_id)
        job = outcome.job
        shown = {entry.pipeline: _shown(job.id, entry) for entry in outcome.pipelines}
        return JobResultsResponse(
            job_id=job.id,
            status=job.status.value,
            pipeline_results=shown,
            created_at=job.created_at,
            completed_at=job.completed_at,
            result_path=results_path(job.id) if any(entry.files for entry in shown.values()) else None,
            error_message=job.error_message,
        )

    async def download(
        self,
        caller: Caller,
        job_id: FromPath[str],
        pipeline_name: FromPath[str],
        query: FromQuery[FileQuery],
    ) -> FileDownload:
        """Download a file of a pipeline's result. Ranges and conditions are honoured."""
        artefact = await self._results.artefact(caller, job_id, pipeline_name, query.file)
        disposition = attachment(artefact.filename)
        return FileDownload(
            disposition=disposition,
            media_type=artefact.media_type,
            size_bytes=artefact.size_bytes,
            etag=artefact.sha256,
            read=lambda offset, length: self._store.read(artefact.key, offset, length),
            address=await self._store.address(
                artefact.key, query.redirect, disposition=disposition, content_type=artefact.media_type
            ),
        )


def _shown(job_id: str, entry: PipelineOutcome) -> PipelineResultResponse:
    task = entry.task
    failure = task.failure if task else None
    result = task.result if task else None
    files = [_file(job_id, entry.pipeline, artefact) for artefact in (result.artefacts if result else ())]
    started, ended = (task.started_at, task.ended_at) if task else (None, None)
    return PipelineResultResponse(
        pipeline_name=entry.pipeline,
        status=entry.status,
        start_time=started,
        end_time=ended,
        processing_time=(ended - started).total_seconds() if started and ended else None,
        annotation_count=result.annotation_count if result else None,
        output_file=files[0].filename if files else None,
        download_url=_file_url(job_id, entry.pipeline) if files else None,
        error_message=failure.message if failure else None,
        error_category=failure.category.value if failure else None,
        attempts=[_attempt(attempt) for attempt in entry.attempts],
        files=files,
    )


def _file(job_id: str, pipeline: str, artefact: Artefact) -> ResultFileResponse:
    return ResultFileResponse(
        filename=artefact.filename,
        size_bytes=artefact.size_bytes,
        sha256=artefact.sha256,
        format=artefact.format,
        media_type=artefact.media_type,
        annotation_count=artefact.annotation_count,
        download_url=f"{_file_url(job_id, pipeline)}?file={quote(artefact.filename, safe='')}",
    )


def _file_url(job_id: str, pipeline: str) -> str:
    return f"{results_path(job_id)}/files/{quote(pipeline, safe='')}"


def _attempt(attempt: Attempt) -> AttemptResponse:
    return AttemptResponse(
        number=attempt.number,
        worker=attempt.worker,
        outcome=attempt.outcome.value,
        started_at=attempt.started_at,
        ended_at=attempt.ended_at,
        category=attempt.failure.category.value if attempt.failure else None,
        message=attempt.failure.message if attempt.failure else None,
    )
