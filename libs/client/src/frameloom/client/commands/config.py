"""``frameloom config``: how the server is set up, and the settings that its pipelines take."""
# ruff: noqa: PLC0415 - imports at need keep `--help` quick

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from frameloom.client import options

if TYPE_CHECKING:
    from frameloom.client.api import AsyncClient


def config(
    show_default: Annotated[
        bool,
        typer.Option(
            "--show-default", help="The pipelines' settings with their defaults, as a configuration."
        ),
    ] = False,
    pipelines: options.Pipelines = None,
    server: options.Server = None,
    key_file: options.KeyFile = None,
    as_json: options.AsJson = False,  # noqa: ARG001 - taken by its callback
    debug: options.Debug = False,  # noqa: ARG001 - taken by its callback
) -> None:
    """Show how the server is set up; with --show-default a configuration to begin from. Always JSON."""
    from frameloom.client.render import output
    from frameloom.client.running import run

    connection = options.connected(server, key_file)
    work = _defaults(connection, options.names(pipelines)) if show_default else _server(connection)
    output.emit_json(run(work), pretty=True)


async def _server(connection: AsyncClient) -> dict[str, Any]:
    async with connection as client:
        return await client.system_config()


async def _defaults(connection: AsyncClient, names: Sequence[str]) -> dict[str, Any]:
    async with connection as client:
        offered = {one.name: one for one in await client.pipelines()}
        # What is not in the list may be another name of what is.
        asked = [offered.get(name) or await client.pipeline(name) for name in names]
    return {one.name: one.defaults for one in asked or offered.values()}
