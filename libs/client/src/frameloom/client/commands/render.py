"""``frameloom render``: results drawn onto their video, as a film or a contact sheet."""
# ruff: noqa: PLC0415 - imports at need keep `--help` quick

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from frameloom.client import options
from frameloom.client.errors import UsageError
from frameloom.client.mode import MODE

if TYPE_CHECKING:
    from frameloom.client.api import AsyncClient
    from frameloom.client.drawing.film import Look

_PARTS = ("boxes", "captions", "timeline")


def render(
    video: Annotated[
        Path | None, typer.Argument(metavar="[VIDEO]", help="The video; with --job, that of the job.")
    ] = None,
    results: Annotated[
        Path | None,
        typer.Argument(metavar="[RESULTS]", help="Its result files: a folder, a ZIP, or one file."),
    ] = None,
    job: Annotated[
        str | None, typer.Option("--job", metavar="ID", help="Fetch the results, and the video, of a job.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="The film [<video>_annotated.mp4, in this folder]."),
    ] = None,
    sheet: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A contact sheet (.jpg, .png), a picture a scene, and no film."),
    ] = None,
    parts: Annotated[
        str | None, typer.Option(metavar="A,B", help="Draw only these: boxes, captions, timeline.")
    ] = None,
    width: Annotated[
        int | None,
        typer.Option(min=64, max=7680, help="Width of the film, or of each picture of a sheet, in pixels."),
    ] = None,
    font: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A font file, for scripts that the usual ones lack.")
    ] = None,
    server: options.Server = None,
    key_file: options.KeyFile = None,
    as_json: options.AsJson = False,  # noqa: ARG001 - taken by its callback
    debug: options.Debug = False,  # noqa: ARG001 - taken by its callback
) -> None:
    """Draw results onto their video: boxes, faces, captions, and a timeline below.

    With --out and --sheet both are made.
    """
    import tempfile

    from frameloom.client import drawing

    drawing.require()
    look = _look(parts, width, font)
    if video is not None:
        options.media_file(video)
    if job is None and (video is None or results is None):
        raise UsageError("Name the video and its results, or a job", hint="frameloom render VIDEO RESULTS")
    with tempfile.TemporaryDirectory(prefix="frameloom-render-") as folder:
        if job is not None:
            from frameloom.client.running import run

            video, results = run(_fetched(options.connected(server, key_file), job, video, Path(folder)))
        assert video is not None
        assert results is not None
        _make(video, results, out, sheet, look)


def _make(video: Path, results: Path, out: Path | None, sheet: Path | None, look: Look) -> None:
    from frameloom.client.drawing.order import Order, make
    from frameloom.client.render import output
    from frameloom.client.render.transfer import drawing

    film = out if out is not None or sheet is not None else Path(f"{video.stem}_annotated.mp4")
    with drawing(video.name, quiet=MODE.json or film is None) as on_progress:
        drawn = make(Order(video, results, film, sheet, look), on_progress)
    if MODE.json:
        output.emit_json(drawn.document(), pretty=True)
        return
    for path in drawn.paths():
        output.result(str(path))
    for line in drawn.lines():
        output.say(line)


def _look(parts: str | None, width: int | None, font: Path | None) -> Look:
    from frameloom.client.drawing.film import Look

    chosen = options.names([parts]) if parts else _PARTS
    if unknown := [name for name in chosen if name not in _PARTS]:
        raise UsageError(f"There is no part {unknown[0]}", hint=f"There are: {', '.join(_PARTS)}")
    return Look(**{name: name in chosen for name in _PARTS}, width=width, font=font)


async def _fetched(connection: AsyncClient, job: str, video: Path | None, folder: Path) -> tuple[Path, Path]:
    """The video and the folder of results: of both what is not here."""
    from frameloom.client.download import download_all
    from frameloom.client.drawing.order import VIDEOS
    from frameloom.client.render.transfer import transfer

    async with connection as client:
        if video is not None:
            await download_all(client, await client.results(job), folder)
            return video, folder
        with transfer(f"job {job}", quiet=MODE.json) as on_progress:
            files = await client.unpacked(job, folder, on_progress=on_progress)
    found = next((file for file in files if file.suffix.lower() in VIDEOS), None)
    if found is None:
        raise UsageError(f"The server has no video of job {job} any more", hint="Name your copy of it")
    return found, folder
