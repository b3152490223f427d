"""``frameloom annotate``: from videos to annotation files, with or without a server."""
# ruff: noqa: PLC0415 - imports at need keep `--help` quick

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from frameloom.client import options
from frameloom.client.mode import MODE

if TYPE_CHECKING:
    from frameloom.client.annotating import Order
    from frameloom.client.embedded import RunningStack
    from frameloom.client.errors import ExitCode
    from frameloom.client.render.display import Display
    from frameloom.client.reports import Report


def annotate(
    videos: Annotated[list[Path], typer.Argument(metavar="VIDEO...", help="Video or audio files.")],
    pipelines: options.Pipelines = None,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Where the files go.")] = Path(),
    config: options.Config = None,
    server: options.Server = None,
    key_file: options.KeyFile = None,
    data: options.Data = None,
    workers: Annotated[int, typer.Option(min=1, help="Workers of the embedded stack.")] = 1,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the embedded stack running afterwards, until Ctrl-C.")
    ] = False,
    preview: Annotated[
        bool,
        typer.Option(
            "--preview", help="Also draw the results onto each video, `<video>_preview.mp4` beside them."
        ),
    ] = False,
    as_json: options.AsJson = False,  # noqa: ARG001 - taken by its callback
    debug: options.Debug = False,  # noqa: ARG001 - taken by its callback
) -> None:
    """Annotate videos, and download the files.

    If no server is named, the embedded stack is started for it, and stopped afterwards.
    """
    if preview:
        from frameloom.client import drawing

        drawing.require()
    wanted = [options.media_file(video) for video in dict.fromkeys(videos)]
    settings = options.configuration(config)

    from frameloom.client.annotating import Order
    from frameloom.client.names import prepare_folder
    from frameloom.client.running import run

    prepare_folder(out)
    order = Order(tuple(wanted), options.names(pipelines), out, settings)
    if server:
        code = run(_on_server(order, server, key_file, preview=preview))
    else:
        code = run(_embedded(order, options.folder_of_data(data), workers, keep=keep, preview=preview))
    raise typer.Exit(code)


async def _on_server(order: Order, server: str, key_file: Path | None, *, preview: bool) -> ExitCode:
    import asyncio

    from frameloom.client.annotating import Annotation
    from frameloom.client.render import display, output

    async with options.connected(server, key_file) as client:
        shown = display.choose(as_json=MODE.json)
        annotation = Annotation(client, order, shown)
        try:
            with shown:
                reports = await annotation.run()
        except asyncio.CancelledError:
            for job_id in annotation.open_jobs:
                output.say(f"job {job_id} goes on; its files: frameloom results {job_id} --out {order.out}")
            raise
    return await _tell(reports, order, preview=preview)


async def _embedded(order: Order, data: Path, workers: int, *, keep: bool, preview: bool) -> ExitCode:
    import asyncio
    from contextlib import AsyncExitStack

    from frameloom.client.embedded import embedded, while_up
    from frameloom.client.render import display, output

    async with AsyncExitStack() as held:
        try:
            with display.choose(as_json=MODE.json) as shown:
                shown.step("starting the embedded stack")
                stack = await held.enter_async_context(embedded(data, workers=workers))
                work = _on_stack(stack, order, shown)
                reports = await while_up(stack, work, data)
            code = await _tell(reports, order, preview=preview)
            if keep:
                output.say(f"the stack goes on at {stack.base_url}, until Ctrl-C")
                await while_up(stack, asyncio.Event().wait(), data)
        except asyncio.CancelledError:
            output.say("stopping the embedded stack")
            raise
    return code


async def _on_stack(stack: RunningStack, order: Order, shown: Display) -> list[Report]:
    from frameloom.client.annotating import Annotation
    from frameloom.client.api import AsyncClient

    async with AsyncClient(stack.base_url, api_key=stack.api_key) as client:
        annotation = Annotation(client, order, shown)
        try:
            return await annotation.run()
        except BaseException:
            # Nobody will come back for its jobs, and the next run would do them first.
            await annotation.cancel_open()
            raise


async def _tell(reports: list[Report], order: Order, *, preview: bool) -> ExitCode:
    """The summary, and after it the previews, if they are wanted; what the command ends with."""
    from frameloom.client.render.summary import tell
    from frameloom.client.reports import worst

    tell(reports, out=order.out)
    code = worst(reports)
    if preview:
        from frameloom.client.previews import drawn

        previews = await drawn(order, reports)
        code = code or previews
    return code
