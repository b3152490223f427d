"""``frameloom watch``: follow a job to its end."""
# ruff: noqa: PLC0415 - imports at need keep `--help` quick

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from frameloom.client import options
from frameloom.client.mode import MODE

if TYPE_CHECKING:
    from frameloom.client.api import AsyncClient
    from frameloom.client.errors import ExitCode
    from frameloom.client.models import Job


def watch(
    job: options.JobId,
    timeout: options.Timeout = None,
    server: options.Server = None,
    key_file: options.KeyFile = None,
    as_json: options.AsJson = False,  # noqa: ARG001 - taken by its callback
    debug: options.Debug = False,  # noqa: ARG001 - taken by its callback
) -> None:
    """Show a job's progress until it ends.

    Ctrl-C ends the watching, not the job.
    """
    from frameloom.client.running import run

    raise typer.Exit(run(_watch(options.connected(server, key_file), job, timeout)))


async def _watch(connection: AsyncClient, job_id: str, limit: float | None) -> ExitCode:
    async with connection as client:
        job = await client.job(job_id)
        return await watched(client, job, job.video_filename or job.id, limit)


async def watched(client: AsyncClient, job: Job, label: str, limit: float | None = None) -> ExitCode:
    """Watches a job with the display that fits, tells how it ended, and gives the exit code.

    Raises:
        WaitTimeoutError: It has not ended within so many seconds.
    """
    import asyncio

    from frameloom.client.errors import WaitTimeoutError
    from frameloom.client.render import display, output
    from frameloom.client.render.summary import tell
    from frameloom.client.reports import Report
    from frameloom.client.watching import watch_to_end

    shown = display.choose(as_json=MODE.json)
    try:
        async with asyncio.timeout(limit):
            with shown:
                results = await watch_to_end(client, job, label, shown)
    except TimeoutError as error:
        raise WaitTimeoutError(
            f"Job {job.id} has not ended within {limit or 0:g} s",
            hint=f"It goes on; come back with: frameloom watch {job.id}",
        ) from error
    except asyncio.CancelledError:
        output.say(f"job {job.id} goes on; come back with: frameloom watch {job.id}")
        raise
    report = Report(label, results)
    tell([report])
    return report.exit_code
