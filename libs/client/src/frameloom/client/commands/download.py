"""``frameloom download``: a job's video and all its files, as a ZIP or unpacked."""
# ruff: noqa: PLC0415 - imports at need keep `--help` quick

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from frameloom.client import options
from frameloom.client.mode import MODE

if TYPE_CHECKING:
    from frameloom.client.api import AsyncClient


def download(
    job: options.JobId,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="PATH", help="The ZIP (FILE.zip), or the folder that it goes to."
        ),
    ] = None,
    unpack: Annotated[
        bool, typer.Option("--unpack", "-x", help="Unpack it, to a folder `job_<id>` unless --out names one.")
    ] = False,
    server: options.Server = None,
    key_file: options.KeyFile = None,
    as_json: options.AsJson = False,  # noqa: ARG001 - taken by its callback
    debug: options.Debug = False,  # noqa: ARG001 - taken by its callback
) -> None:
    """Download a job's video and all its files; what `results --out` brings is the files alone."""
    from frameloom.client.render import output
    from frameloom.client.running import run

    connection = options.connected(server, key_file)
    work = _unpacked(connection, job, out) if unpack else _zip(connection, job, _target(out or Path()))
    document, lines, last = run(work)
    if MODE.json:
        output.emit_json(document, pretty=True)
        return
    for line in lines:
        output.result(line)
    output.say(last)


def _target(out: Path) -> Path:
    """The file that was named, or the folder, made if need be: what does not end in ``.zip`` is one."""
    from frameloom.client.names import prepare_folder

    if out.suffix.lower() != ".zip" and not out.is_file():
        prepare_folder(out)
    return out


async def _zip(connection: AsyncClient, job: str, out: Path) -> tuple[dict[str, object], list[str], str]:
    from frameloom.client.render.tables import size
    from frameloom.client.render.transfer import transfer

    async with connection as client:
        with transfer(f"job {job}", quiet=MODE.json) as on_progress:
            archive = await client.artifacts(job, out, on_progress=on_progress)
    told = f"{len(archive.members)} files, {size(archive.size_bytes)}, each read once and whole"
    return archive.document(), [str(archive.path)], told


async def _unpacked(
    connection: AsyncClient, job: str, out: Path | None
) -> tuple[dict[str, object], list[str], str]:
    from frameloom.client.names import safe_name
    from frameloom.client.render.transfer import transfer

    folder = out or Path(safe_name(f"job_{job}", fallback="job"))
    async with connection as client:
        with transfer(f"job {job}", quiet=MODE.json) as on_progress:
            files = await client.unpacked(job, folder, on_progress=on_progress)
    names = [str(path) for path in files]
    return {"folder": str(folder), "files": names}, names, f"{len(files)} files in {folder.resolve()}"
