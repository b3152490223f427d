"""The options that commands share, and what becomes of their values."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from frameloom.client.errors import UsageError
from frameloom.client.mode import MODE

DEFAULT_SERVER = "http://127.0.0.1:18011"
"""Where ``frameloom up`` listens."""

Server = Annotated[
    str | None,
    typer.Option(
        "--server",
        metavar="URL",
        envvar="FRAMELOOM_SERVER",
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
    typer.Option("--config", metavar="FILE|JSON", help="Settings by pipeline: a JSON file, or JSON itself."),
]
Data = Annotated[
    Path | None,
    typer.Option(
        "--data", metavar="DIR", envvar="FRAMELOOM_DATA", help="Data folder of the embedded stack, kept."
    ),
]
JobId = Annotated[str, typer.Argument(metavar="JOB", help="The job's id.")]


def api_key() -> str | None:
    """The key from the environment: on a command line every user of the machine could read it."""
    return os.environ.get("FRAMELOOM_API_KEY") or None


def names(values: Iterable[str] | None) -> tuple[str, ...]:
    """Pipeline names from ``a,b`` and repeated options, each once, in order."""
    parts = (part.strip() for value in values or () for part in value.split(","))
    return tuple(dict.fromkeys(part for part in parts if part))


def configuration(value: str | None) -> dict[str, Any]:
    """The object in ``--config``: JSON itself if it begins like some, else the content of a file.

    Raises:
        UsageError: The file can not be read, or it is no JSON object.
    """
    if value is None:
        return {}
    text, origin = value, "--config"
    if value.lstrip()[:1] not in {"{", "["}:
        origin = value
        try:
            text = Path(value).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise UsageError(
                f"The configuration {value} can not be read: {reason}",
                hint='Give a file, or JSON such as {"face_analysis": {}}',
            ) from error
    try:
        document = json.loads(text)
    except ValueError as error:
        raise UsageError(f"The configuration in {origin} is no JSON: {error}") from error
    if not isinstance(document, dict):
        raise UsageError(
            f"The configuration in {origin} is no JSON object",
            hint='It has settings by pipeline: {"face_analysis": {}}',
        )
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


def data_folder(given: Path | None) -> Path:
    """Where the embedded stack keeps its data: the one given, or the user's own by the system's custom."""
    if given is not None:
        return given.expanduser()
    home = Path.home()
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "frameloom"
    base = os.environ.get("XDG_DATA_HOME", "")
    return (Path(base) if Path(base).is_absolute() else home / ".local" / "share") / "frameloom"
