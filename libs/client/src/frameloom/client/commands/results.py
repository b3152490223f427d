"""``frameloom results``: how a job did, and its files."""
# ruff: noqa: PLC0415 - imports at need keep `--help` quick

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from frameloom.client import options
from frameloom.client.errors import ClientError, ExitCode
from frameloom.client.mode import MODE

if TYPE_CHECKING:
    from frameloom.client.api import AsyncClient
    from frameloom.client.reports import Report


def results(
    job: options.JobId,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="DIR", help="Download the files to this folder.")
    ] = None,
    server: options.Server = None,
    key_file: options.KeyFile = None,
    as_json: options.AsJson = False,  # noqa: ARG001 - taken by its callback
    debug: options.Debug = False,  # noqa: ARG001 - taken by its callback
) -> None:
    """Show the results of a job; with --out download its files."""
    from frameloom.client.names import prepare_folder
    from frameloom.client.running import run

    if out is not None:
        prepare_folder(out)
    report = run(_results(options.connected(server, key_file), job, out))
    if MODE.json:
        from frameloom.client.render.output import emit_json

        emit_json(report.document(), pretty=True)
    else:
        from frameloom.client.render.output import say
        from frameloom.client.render.summary import tell

        tell([report], out=out)
        if report.results is not None and report.results.status not in {"completed", "failed", "cancelled"}:
            say(f"job {job} is {report.results.status}; watch it with: frameloom watch {job}")
    raise typer.Exit(_code(report))


async def _results(connection: AsyncClient, job_id: str, out: Path | None) -> Report:
    from frameloom.client.download import download_all
    from frameloom.client.reports import Report

    async with connection as client:
        found = await client.results(job_id)
        if out is None:
            return Report(job_id, found)
        try:
            return Report(job_id, found, await download_all(client, found, out))
        except ClientError as error:
            return Report(job_id, found, error=error)


def _code(report: Report) -> ExitCode:
    """A job that has not ended has not failed."""
    if report.error is None and report.results and report.results.status in {"pending", "running"}:
        return ExitCode.OK
    return report.exit_code
