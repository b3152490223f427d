"""``frameloom health``: how the server is."""
# ruff: noqa: PLC0415 - imports at need keep `--help` quick

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from frameloom.client import options
from frameloom.client.errors import ExitCode
from frameloom.client.mode import MODE

if TYPE_CHECKING:
    from frameloom.client.api import AsyncClient
    from frameloom.client.models import SystemHealth


def health(
    server: options.Server = None,
    key_file: options.KeyFile = None,
    as_json: options.AsJson = False,  # noqa: ARG001 - taken by its callback
    debug: options.Debug = False,  # noqa: ARG001 - taken by its callback
) -> None:
    """Show how the server is: its machine, database, GPUs, workers and services."""
    from frameloom.client.render import output
    from frameloom.client.running import run

    found = run(_health(options.connected(server, key_file)))
    if MODE.json:
        output.emit_json(found.model_dump(mode="json"), pretty=True)
    else:
        from frameloom.client.render.health import health_table

        output.show(health_table(found))
    raise typer.Exit(ExitCode.OK if found.healthy else ExitCode.UNREACHABLE)


async def _health(connection: AsyncClient) -> SystemHealth:
    async with connection as client:
        return await client.system_health()
