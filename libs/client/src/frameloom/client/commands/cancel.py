"""``frameloom cancel``: stop a job."""
# ruff: noqa: PLC0415 - imports at need keep `--help` quick

from __future__ import annotations

from typing import TYPE_CHECKING

from frameloom.client import options
from frameloom.client.mode import MODE

if TYPE_CHECKING:
    from frameloom.client.api import AsyncClient
    from frameloom.client.models import Job


def cancel(
    job: options.JobId,
    server: options.Server = None,
    key_file: options.KeyFile = None,
    as_json: options.AsJson = False,  # noqa: ARG001 - taken by its callback
    debug: options.Debug = False,  # noqa: ARG001 - taken by its callback
) -> None:
    """Cancel a job; what is done of it stays."""
    from frameloom.client.render import output
    from frameloom.client.running import run

    after = run(_cancel(options.connected(server, key_file), job))
    if MODE.json:
        output.emit_json(after.model_dump(mode="json"), pretty=True)
    else:
        output.result(f"{after.id} {after.status}")


async def _cancel(connection: AsyncClient, job_id: str) -> Job:
    async with connection as client:
        return await client.cancel(job_id)
