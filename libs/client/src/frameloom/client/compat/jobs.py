"""``videoannotator job``: submit, status, results, list, download-annotations."""
# ruff: noqa: PLC0415 - imports at need keep `--help` quick

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from frameloom.client.compat.words import LOCAL, Server, connected, echo, explained, stop
from frameloom.client.errors import NotFoundError

if TYPE_CHECKING:
    from frameloom.client.models import Job, PipelineResult

app = typer.Typer(name="job", help="Manage remote processing jobs")
JobId = Annotated[str, typer.Argument(help="Job ID")]


@app.command("submit")
def submit(
    video: Annotated[Path, typer.Argument(help="Path to video file to process")],
    pipelines: Annotated[str | None, typer.Option(help="Comma-separated list of pipelines to run")] = None,
    config: Annotated[Path | None, typer.Option(help="Path to configuration file")] = None,
    server: Server = LOCAL,
) -> None:
    """Submit a video processing job to the API server."""
    from frameloom.client import options

    echo(f"[SUBMIT] Submitting job for video: {video}")
    if not video.exists():
        stop(f"[ERROR] Video file not found: {video}")
    # The original passes over a configuration that is not there, and runs with the defaults without a word.
    if config is not None and not config.exists():
        stop(f"[ERROR] Configuration file not found: {config}")
    with (
        explained("Job submission failed"),
        connected(server, "[INFO] Make sure server is running: videoannotator server") as client,
    ):
        settings = options.configuration(None if config is None else str(config))
        names = options.names([pipelines] if pipelines else None)
        job = client.submit(video, pipelines=names, config=settings)
    echo("[OK] Job submitted successfully!")
    echo(f"Job ID: {job.id}")
    echo(f"Status: {job.status}")
    echo(f"[INFO] Track progress with: videoannotator job status {job.id}")


@app.command("status")
def status(job_id: JobId, server: Server = LOCAL) -> None:
    """Check the status of a processing job."""
    echo(f"[STATUS] Checking status for job: {job_id}")
    with connected(server) as client, explained("Failed to get job status"):
        try:
            job = client.job(job_id)
        except NotFoundError:
            stop(f"[ERROR] Job {job_id} not found")
    echo(f"[OK] Job Status: {job.status}")
    echo(f"Created: {_raw(job, 'created_at')}")
    if job.completed_at:
        echo(f"Completed: {_raw(job, 'completed_at')}")
    if job.error_message:
        echo(f"Error: {job.error_message}")
    if job.selected_pipelines:
        echo(f"Pipelines: {', '.join(job.selected_pipelines)}")


@app.command("results")
def results(
    job_id: JobId,
    server: Server = LOCAL,
    download: Annotated[str | None, typer.Option(help="Pipeline name to download results for")] = None,
) -> None:
    """Get detailed results for a completed job."""
    echo(f"[RESULTS] Getting results for job: {job_id}")
    with connected(server) as client, explained("Failed to get job results"):
        try:
            found = client.results(job_id)
        except NotFoundError:
            stop(f"[ERROR] Job {job_id} not found")
        echo(f"[OK] Job Status: {found.status}")
        echo("Output Directory: N/A")
        echo()
        echo("Pipeline Results:")
        for name, one in found.pipeline_results.items():
            _tell(name, one)
        if download is not None:
            done = client.download_file(job_id, download, Path())
            echo(f"[OK] Downloaded: {done.path}")


def _tell(name: str, one: PipelineResult) -> None:
    echo(f"  {name}:")
    echo(f"    Status: {one.status}")
    if one.processing_time:
        echo(f"    Processing Time: {one.processing_time:.2f}s")
    if one.annotation_count:
        echo(f"    Annotations: {one.annotation_count}")
    if one.output_file:
        echo(f"    Output File: {one.output_file}")
    if one.error_message:
        echo(f"    Error: {one.error_message}")
    echo()


@app.command("list")
def list_jobs(
    server: Server = LOCAL,
    status_filter: Annotated[
        str | None, typer.Option(help="Filter by status (pending, running, completed, failed)")
    ] = None,
    page: Annotated[int, typer.Option(help="Page number")] = 1,
    per_page: Annotated[int, typer.Option(help="Jobs per page")] = 10,
) -> None:
    """List processing jobs."""
    echo("[LIST] Getting job list...")
    with connected(server) as client, explained("Failed to list jobs"):
        found = client.jobs_page(page=page, per_page=per_page, status=status_filter)
    echo(f"[OK] Found {found.total} total jobs (showing page {page})")
    echo()
    if not found.jobs:
        echo("No jobs found.")
    for job in found.jobs:
        echo(f"Job ID: {job.id}")
        echo(f"  Status: {job.status}")
        echo(f"  Created: {_raw(job, 'created_at')}")
        if job.video_filename:
            echo(f"  Video: {job.video_filename}")
        if job.selected_pipelines:
            echo(f"  Pipelines: {', '.join(job.selected_pipelines)}")
        echo()


@app.command("download-annotations")
def download_annotations(
    job_id: JobId,
    output: Annotated[Path, typer.Option("--output", "-o", help="Directory to save annotations to")] = Path(),
    server: Server = LOCAL,
) -> None:
    """Download a job's video and annotations as a ZIP file."""
    from frameloom.client.names import prepare_folder

    echo(f"[DOWNLOAD] Downloading annotations for job: {job_id}")
    with connected(server) as client, explained("Failed to download annotations"):
        prepare_folder(output)
        try:
            archive = client.artifacts(job_id, output)
        except NotFoundError as error:
            stop(f"[ERROR] {error.message}")
    echo(f"[OK] Annotations saved to: {archive.path}")


def _raw(job: Job, field: str) -> str:
    """A time as the server writes it."""
    return str(job.model_dump(mode="json").get(field) or "Unknown")
