"""``frameloom validate-emotion``: whether a file follows the emotion format of VideoAnnotator."""
# ruff: noqa: PLC0415 - imports at need keep `--help` quick

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from frameloom.client import options
from frameloom.client.errors import ExitCode
from frameloom.client.mode import MODE


def validate_emotion(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Files `*.emotion.json`.")],
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Say nothing about files that are valid.")
    ] = False,
    as_json: options.AsJson = False,  # noqa: ARG001 - taken by its callback
    debug: options.Debug = False,  # noqa: ARG001 - taken by its callback
) -> None:
    """Check files against the emotion format of VideoAnnotator, version 0.1. Needs no server."""
    from frameloom.client.emotion import problems_of
    from frameloom.client.render import output

    found = {str(file): problems_of(file) for file in files}
    if MODE.json:
        rows = [{"file": name, "valid": not lines, "errors": lines} for name, lines in found.items()]
        output.emit_json({"files": rows}, pretty=True)
    for name, lines in () if MODE.json else found.items():
        if lines:
            output.result(f"{name}: not valid")
            for line in lines:
                output.result(f"  {line}")
        elif not quiet:
            output.result(f"{name}: valid")
    raise typer.Exit(ExitCode.JOB_FAILED if any(found.values()) else ExitCode.OK)
