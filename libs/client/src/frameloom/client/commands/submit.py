"""``frameloom submit``: hand a video over; come back later, or wait."""
# ruff: noqa: PLC0415 - imports at need keep `--help` quick

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from frameloom.client import options
from frameloom.client.errors import ExitCode
from frameloom.client.mode import MODE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from frameloom.client.api import AsyncClient


def submit(
    video: Annotated[Path, typer.Argument(metavar="VIDEO", help="A video or audio file.")],
    pipelines: options.Pipelines = None,
    config: options.Config = None,
    server: options.Server = None,
    key_file: options.KeyFile = None,
    wait: Annotated[bool, typer.Option("--wait", help="Watch the job until it ends.")] = False,
    timeout: options.Timeout = None,
    as_json: options.AsJson = False,  # noqa: ARG001 - taken by its callback
    debug: options.Debug = False,  # noqa: ARG001 - taken by its callback
) -> None:
    """Upload a video and start a job; prints the job's id."""
    file = options.media_file(video)
    settings = options.configuration(config)
    from frameloom.client.running import run

    client = options.connected(server, key_file)
    raise typer.Exit(run(_submit(client, file, options.names(pipelines), settings, wait=wait, limit=timeout)))


async def _submit(
    connection: AsyncClient,
    video: Path,
    pipelines: Sequence[str],
    config: Mapping[str, object],
    *,
    wait: bool,
    limit: float | None,
) -> ExitCode:
    from frameloom.client.annotating import size_of
    from frameloom.client.commands.watch import watched
    from frameloom.client.render import display, output

    async with connection as client:
        shown = display.choose(as_json=MODE.json) if wait or not MODE.json else display.Silent()
        with shown:
            on_bytes = shown.uploading(video.name, size_of(video))
            job = await client.submit(video, pipelines=pipelines, config=config, on_bytes=on_bytes)
            if wait:
                shown.submitted(video.name, job)
        if wait:
            return await watched(client, job, video.name, limit)
    if MODE.json:
        output.emit_json(job.model_dump(mode="json"), pretty=True)
    else:
        output.result(job.id)
        output.say(f"watch it with: frameloom watch {job.id}")
    return ExitCode.OK
