"""The options that commands share, and what becomes of their values."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from frameloom.client.credentials import DEFAULT_SERVER, SERVER_VARIABLE, data_folder, find_key
from frameloom.client.errors import UsageError
from frameloom.client.mode import MODE

if TYPE_CHECKING:
    from frameloom.client.api import AsyncClient

Server = Annotated[
    str | None,
    typer.Option(
        "--server",
        metavar="URL",
        envvar=SERVER_VARIABLE,
        help=f"Address of the gateway [{DEFAULT_SERVER}].",
    ),
]
AsJson = Annotated[
    bool,
    typer.Option("--json", callback=MODE.set_json, is_eager=True, help="JSON on standard output."),
]
Debug = Annotated[
    bool,
    typer.Option("--debug", callback=MODE.set_debug, is_eager=True, help="Show the traceback of an error."),
]
Pipelines = Annotated[
    list[str] | None,
    typer.Option("--pipelines", "-p", metavar="A,B", help="Pipelines to run; the server's default if none."),
]
Config = Annotated[
    str | None,
    typer.Option(
        "--config", metavar="FILE|JSON", help="Settings by pipeline: a JSON or YAML file, or JSON itself."
    ),
]
Timeout = Annotated[
    float | None,
    typer.Option("--timeout", metavar="SECONDS", min=0.1, help="Watch no longer than this; the job goes on."),
]
Data = Annotated[
    Path | None,
    typer.Option(
        "--data", metavar="DIR", envvar="FRAMELOOM_DATA", help="Data folder of the embedded stack, kept."
    ),
]
KeyFile = Annotated[
    Path | None,
    typer.Option(
        "--key-file",
        metavar="FILE",
        help="A file with the server's key. Else FRAMELOOM_API_KEY, else that of the stack on this machine.",
    ),
]
JobId = Annotated[str, typer.Argument(metavar="JOB", help="The job's id.")]


def connected(server: str | None, key_file: Path | None = None, *, data: Path | None = None) -> AsyncClient:
    """A connection to the server that was named, or to the usual place, with its key.

    Args:
        server: From the option or the environment.
        key_file: From the option.
        data: Data folder of the embedded stack, if it is not the usual one.
    """
    from frameloom.client.api import AsyncClient  # noqa: PLC0415 - imports at need keep `--help` quick

    address = server or DEFAULT_SERVER
    return AsyncClient(address, api_key=find_key(address, key_file=key_file, data=data))


def names(values: Iterable[str] | None) -> tuple[str, ...]:
    """Pipeline names from ``a,b`` and repeated options, each once, in order."""
    parts = (part.strip() for value in values or () for part in value.split(","))
    return tuple(dict.fromkeys(part for part in parts if part))


def configuration(value: str | None) -> dict[str, Any]:
    """The object in ``--config``: JSON itself if it begins like some, else the content of a file.

    Raises:
        UsageError: The file can not be read, or it is no object.
    """
    if value is None:
        return {}
    here = value.lstrip()[:1] in {"{", "["}
    document = _json(value, "--config") if here else settings_file(Path(value))
    if not isinstance(document, dict):
        raise UsageError(
            f"The configuration in {'--config' if here else value} is no JSON object",
            hint='It has settings by pipeline: {"face_analysis": {}}',
        )
    return document


def settings_file(path: Path) -> Any:
    """What a JSON or YAML file says.

    Raises:
        UsageError: It can not be read, or is neither.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(
            f"The configuration {path} can not be read: {reason}",
            hint='Give a file, or JSON such as {"face_analysis": {}}',
        ) from error
    return _yaml(text, path) if path.suffix.lower() in {".yaml", ".yml"} else _json(text, str(path))


def _json(text: str, origin: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"The configuration in {origin} is no JSON: {error}") from error


def _yaml(text: str, path: Path) -> Any:
    import yaml  # noqa: PLC0415 - imports at need keep `--help` quick

    try:
        document = yaml.safe_load(text)
        json.dumps(document)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        told = " ".join(str(error).split())
        raise UsageError(f"The configuration in {path} is no YAML: {told}") from error
    except TypeError as error:
        raise UsageError(
            f"The configuration in {path} has a value that JSON has not: {error}",
            hint="Put dates and the like into quotes",
        ) from error
    return document


def media_file(path: Path) -> Path:
    """A file that can be sent.

    Raises:
        UsageError: It is missing, a folder, empty, or not ours to read.
    """
    if path.is_dir():
        raise UsageError(f"{path} is a folder", hint="Name the video files in it")
    if not path.exists():
        raise UsageError(f"{path} does not exist")
    if not path.is_file():
        raise UsageError(f"{path} is no regular file")
    if not os.access(path, os.R_OK):
        raise UsageError(f"{path} can not be read: permission denied")
    if path.stat().st_size == 0:
        raise UsageError(f"{path} is empty")
    return path


def folder_of_data(given: Path | None) -> Path:
    """Where the embedded stack keeps its data: the one given, or the usual one."""
    return given.expanduser() if given is not None else data_folder()
