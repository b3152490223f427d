"""``frameloom job show``: one job, with all that is known of it."""
# ruff: noqa: PLC0415 - imports at need keep `--help` quick

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from frameloom.client import options
from frameloom.client.mode import MODE

if TYPE_CHECKING:
    from frameloom.client.api import AsyncClient
    from frameloom.client.models import Job, JobResults

app = typer.Typer(name="job", help="Look at one job.", no_args_is_help=True)


@app.command("show")
def show(
    job: options.JobId,
    server: options.Server = None,
    key_file: options.KeyFile = None,
    as_json: options.AsJson = False,  # noqa: ARG001 - taken by its callback
    debug: options.Debug = False,  # noqa: ARG001 - taken by its callback
) -> None:
    """Show a job: what was asked for, how far it is, and what came of it."""
    from frameloom.client.render import output
    from frameloom.client.running import run

    found, results = run(_show(options.connected(server, key_file), job))
    if MODE.json:
        document = found.model_dump(mode="json") | {"results": results.model_dump(mode="json")}
        output.emit_json(document, pretty=True)
        return
    from frameloom.client.render.cards import job_card

    output.show(job_card(found, results, width=output.console(sys.stdout).width))
    if not found.ended:
        output.say(f"watch it with: frameloom watch {found.id}")


async def _show(connection: AsyncClient, job_id: str) -> tuple[Job, JobResults]:
    async with connection as client:
        return await client.job(job_id), await client.results(job_id)
