"""What becomes of a command whose reader has seen enough: ``frameloom jobs | head -1``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperGroup


class QuietPipes(TyperGroup):
    """Ends a command in good order, with 0, when nobody reads its results any more: that is no fault.

    typer and rich themselves would end it with 1; a process that the signal ends (141) could not tidy up.
    """

    def make_context(self, *args: Any, **extra: Any) -> Any:
        """Reads the command line; ``--help`` already writes here."""
        with _quiet():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: Any) -> Any:
        """Runs the chosen command."""
        with _quiet():
            return super().invoke(ctx)


@contextmanager
def _quiet() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        close_pipes()
        raise typer.Exit(0) from None
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):  # rich's way to end, in the middle of a help page
            raise typer.Exit(0) from None
        raise


def close_pipes() -> None:
    """Nothing more must be written where nobody reads, not even what is left at the exit."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
