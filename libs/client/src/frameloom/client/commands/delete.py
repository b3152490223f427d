"""``frameloom delete``: jobs go, with their videos and results."""
# ruff: noqa: PLC0415 - imports at need keep `--help` quick

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from frameloom.client import options
from frameloom.client.errors import ClientError, ExitCode, RefusedError, UsageError
from frameloom.client.mode import MODE

if TYPE_CHECKING:
    from frameloom.client.api import AsyncClient


def delete(
    jobs: Annotated[list[str], typer.Argument(metavar="JOB...", help="The jobs' ids.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    server: options.Server = None,
    key_file: options.KeyFile = None,
    as_json: options.AsJson = False,  # noqa: ARG001 - taken by its callback
    debug: options.Debug = False,  # noqa: ARG001 - taken by its callback
) -> None:
    """Delete jobs, with their videos and results. One that runs is stopped."""
    from frameloom.client.render import output
    from frameloom.client.running import run

    wanted = list(dict.fromkeys(jobs))
    connection = options.connected(server, key_file)
    if not yes:
        _agreed(wanted)
    done, failed = run(_delete(connection, wanted))
    if MODE.json:
        errors = {job: error.document() for job, error in failed.items()}
        output.emit_json({"deleted": done, "errors": errors}, pretty=True)
    for job in () if MODE.json else done:
        output.result(f"{job} deleted")
    for job, error in failed.items():
        output.say_error(error.message if job in error.message else f"{job}: {error.message}", error.hint)
    raise typer.Exit(ExitCode.REFUSED if failed else ExitCode.OK)


def _agreed(jobs: Sequence[str]) -> None:
    """Asks, where there is somebody to be asked.

    Raises:
        UsageError: There is nobody.
        Exit: They said no.
    """
    what = f"job {jobs[0]}" if len(jobs) == 1 else f"{len(jobs)} jobs"
    if not _somebody():
        raise UsageError(f"Nobody is here to be asked whether {what} may go", hint="Say so with --yes")
    if not typer.confirm(f"Delete {what}, with video and results?", err=True):
        raise typer.Exit(ExitCode.OK)


def _somebody() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


async def _delete(connection: AsyncClient, jobs: Sequence[str]) -> tuple[list[str], dict[str, ClientError]]:
    done: list[str] = []
    failed: dict[str, ClientError] = {}
    async with connection as client:
        for job in jobs:
            try:
                await client.delete(job)
                done.append(job)
            except RefusedError as error:
                failed[job] = error
    return done, failed
