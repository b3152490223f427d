"""``frameloom jobs``: what the server has to do and has done."""
# ruff: noqa: PLC0415 - imports at need keep `--help` quick

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from frameloom.client import options
from frameloom.client.errors import UsageError
from frameloom.client.mode import MODE

if TYPE_CHECKING:
    from frameloom.client.api import AsyncClient
    from frameloom.client.models import JobPage

_STATUSES = ("pending", "running", "completed", "failed", "cancelled")


def jobs(
    status: Annotated[
        str | None,
        typer.Option(help="Only those: pending, running, completed, failed or cancelled."),
    ] = None,
    page: Annotated[int, typer.Option(min=1, help="Which page.")] = 1,
    per_page: Annotated[int, typer.Option(min=1, max=1000, help="Jobs on a page.")] = 20,
    everything: Annotated[bool, typer.Option("--all", help="All pages.")] = False,
    server: options.Server = None,
    key_file: options.KeyFile = None,
    as_json: options.AsJson = False,  # noqa: ARG001 - taken by its callback
    debug: options.Debug = False,  # noqa: ARG001 - taken by its callback
) -> None:
    """List the jobs."""
    from frameloom.client.render import output
    from frameloom.client.running import run

    if status is not None and status not in _STATUSES:
        raise UsageError(f"There is no status {status}", hint=f"Choose among: {', '.join(_STATUSES)}")
    connection = options.connected(server, key_file)
    found = run(_all(connection, status) if everything else _jobs(connection, page, per_page, status))
    if MODE.json:
        output.emit_json(found.model_dump(mode="json"), pretty=True)
        return
    from frameloom.client.render.tables import jobs_table

    if found.jobs:
        output.show(jobs_table(found, width=output.console(sys.stdout).width))
    pages = max(1, -(-found.total // max(1, found.per_page)))
    output.say(f"{found.total} job{'s' * (found.total != 1)}, page {found.page} of {pages}")


async def _jobs(connection: AsyncClient, page: int, per_page: int, status: str | None) -> JobPage:
    async with connection as client:
        return await client.jobs_page(page=page, per_page=per_page, status=status)


async def _all(connection: AsyncClient, status: str | None) -> JobPage:
    from frameloom.client.models import JobPage

    async with connection as client:
        found = tuple([job async for job in client.jobs(status=status)])
    return JobPage(jobs=found, total=len(found), page=1, per_page=max(1, len(found)))
