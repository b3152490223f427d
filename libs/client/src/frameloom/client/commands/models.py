"""``frameloom models``: the model cache of the worker that is installed here.

The worker's own ``python -m frameloom.worker.models`` does the work, in a process of the same interpreter:
the client imports no service, and starts as quickly with all of them installed as with none.
"""
# ruff: noqa: PLC0415 - imports at need keep `--help` quick

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from frameloom.client import options
from frameloom.client.mode import MODE

models = typer.Typer(
    help="Models and sample clips that the worker on this machine keeps.", no_args_is_help=True
)

Folder = Annotated[
    Path | None,
    typer.Option(
        "--dir",
        metavar="DIR",
        help="The cache; else FRAMELOOM_MODEL_DIR, else the user's cache folder.",
    ),
]
Names = Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Only these.")]


@models.command("list")
def list_models(
    folder: Folder = None,
    as_json: options.AsJson = False,  # noqa: ARG001 - taken by its callback
    debug: options.Debug = False,  # noqa: ARG001 - taken by its callback
) -> None:
    """List models and sample clips: version, licence, source, size, who needs them, and if they are here."""
    _run("list", folder)


@models.command()
def pull(
    names: Names = None,
    pipelines: Annotated[
        list[str] | None, typer.Option("--for", metavar="PIPELINE", help="What this pipeline needs.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Optional ones too.")] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Also what is here already: for damaged files.")
    ] = False,
    folder: Folder = None,
    as_json: options.AsJson = False,  # noqa: ARG001 - taken by its callback
    debug: options.Debug = False,  # noqa: ARG001 - taken by its callback
) -> None:
    """Fetch models into the cache, each checked against its pinned sha256.

    Without a name: all that are not optional.
    """
    chosen = [word for name in pipelines or () for word in ("--for", name)]
    flags = ["--all"] * everything + ["--again"] * again
    _run("pull", folder, *flags, *chosen, *_words(names))


@models.command()
def verify(
    names: Names = None,
    folder: Folder = None,
    as_json: options.AsJson = False,  # noqa: ARG001 - taken by its callback
    debug: options.Debug = False,  # noqa: ARG001 - taken by its callback
) -> None:
    """Read the files in the cache and compare their sha256; tell which is damaged, and what to do."""
    _run("verify", folder, *_words(names))


@models.command()
def supply(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Which model: the pipeline's page tells.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file.")],
    version: Annotated[str, typer.Option("--version", help="Of the model, for the list.")] = "operator",
    licence: Annotated[str, typer.Option("--licence", help="Of the model, for the list.")] = "not stated",
    folder: Folder = None,
    as_json: options.AsJson = False,  # noqa: ARG001 - taken by its callback
    debug: options.Debug = False,  # noqa: ARG001 - taken by its callback
) -> None:
    """Copy a model that no package has into the cache, and record its sha256."""
    _run("supply", folder, "--version", version, "--licence", licence, "--", name, str(file))


def _words(names: list[str] | None) -> list[str]:
    return ["--", *names] if names else []


def _run(command: str, folder: Path | None, *words: str) -> None:
    """Runs the worker's command in its own process, whose output and exit code are ours.

    Raises:
        MissingCapabilityError: No worker is installed here.
        Exit: With the code of the process.
    """
    import importlib.util
    import subprocess
    import sys

    from frameloom.client.errors import MissingCapabilityError

    if importlib.util.find_spec("frameloom.worker") is None:
        raise MissingCapabilityError(
            "No worker is installed here, and it is the worker that keeps models",
            hint="Run this where the worker is, or install it: pip install frameloom-worker",
        )
    where = [] if folder is None else ["--dir", str(folder)]
    spoken = ["--json"] if MODE.json else []
    line = [sys.executable, "-m", "frameloom.worker.models", command, *where, *spoken, *words]
    sys.stdout.flush()
    raise typer.Exit(subprocess.run(line, check=False).returncode)
