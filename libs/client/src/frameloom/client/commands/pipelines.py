"""``frameloom pipelines``: what the server can run."""
# ruff: noqa: PLC0415 - imports at need keep `--help` quick

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from frameloom.client import options
from frameloom.client.mode import MODE

if TYPE_CHECKING:
    from frameloom.client.api import AsyncClient
    from frameloom.client.models import Pipeline


class Layout(StrEnum):
    """What ``--format`` may name; the short word is VideoAnnotator's."""

    MARKDOWN = "markdown"
    MD = "md"


def pipelines(
    detailed: Annotated[bool, typer.Option("--detailed", help="With the settings of each.")] = False,
    layout: Annotated[
        Layout | None, typer.Option("--format", help="As a table of Markdown.", case_sensitive=False)
    ] = None,
    server: options.Server = None,
    key_file: options.KeyFile = None,
    as_json: options.AsJson = False,  # noqa: ARG001 - taken by its callback
    debug: options.Debug = False,  # noqa: ARG001 - taken by its callback
) -> None:
    """List the pipelines that the server offers."""
    from frameloom.client.render import output
    from frameloom.client.running import run

    found = run(_pipelines(options.connected(server, key_file)))
    if MODE.json:
        document = {"pipelines": [one.model_dump(mode="json") for one in found], "total": len(found)}
        output.emit_json(document, pretty=True)
        return
    from frameloom.client.render import markdown, tables

    if layout is not None:
        for line in markdown.pipelines_markdown(found):
            output.result(line)
    elif not found:
        output.say("The server has no pipeline: no worker has announced itself yet")
    elif not detailed:
        output.show(tables.pipelines_table(found, width=output.console(sys.stdout).width))
    else:
        for one in found:
            output.show(tables.pipeline_card(one))


async def _pipelines(connection: AsyncClient) -> tuple[Pipeline, ...]:
    async with connection as client:
        return await client.pipelines()
