"""``frameloom validate``: what the server thinks of a configuration, before a job is submitted with it."""
# ruff: noqa: PLC0415 - imports at need keep `--help` quick

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from frameloom.client import options
from frameloom.client.errors import ExitCode
from frameloom.client.mode import MODE

if TYPE_CHECKING:
    from frameloom.client.api import AsyncClient
    from frameloom.client.models import Validation


def validate(
    config: Annotated[
        str,
        typer.Argument(metavar="CONFIG", help="Settings by pipeline: a JSON or YAML file, or JSON itself."),
    ],
    pipelines: options.Pipelines = None,
    server: options.Server = None,
    key_file: options.KeyFile = None,
    as_json: options.AsJson = False,  # noqa: ARG001 - taken by its callback
    debug: options.Debug = False,  # noqa: ARG001 - taken by its callback
) -> None:
    """Check a configuration against the pipelines of the server. Without --pipelines, those that it names."""
    from frameloom.client.render import output
    from frameloom.client.running import run

    settings = options.configuration(config)
    found = run(_validate(options.connected(server, key_file), settings, options.names(pipelines)))
    if MODE.json:
        output.emit_json(found.model_dump(mode="json"), pretty=True)
    else:
        from frameloom.client.render.cards import validation_table

        if found.errors or found.warnings:
            output.show(validation_table(found))
        output.say(_verdict(found))
    raise typer.Exit(ExitCode.OK if found.valid else ExitCode.JOB_FAILED)


def _verdict(found: Validation) -> str:
    word = "valid" if found.valid else "not valid"
    counts = [
        f"{len(items)} {name}{'s' * (len(items) != 1)}"
        for items, name in ((found.errors, "error"), (found.warnings, "warning"))
        if items
    ]
    return f"{word}: {', '.join(counts)}" if counts else word


async def _validate(
    connection: AsyncClient, config: Mapping[str, Any], pipelines: Sequence[str]
) -> Validation:
    async with connection as client:
        return await client.validate_config(config, pipelines=pipelines or None)
