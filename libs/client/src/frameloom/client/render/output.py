"""Where words go: results to standard output, everything about the way there to standard error."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TextIO

from frameloom.client.pipes import close_pipes

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_PIPE_WIDTH = 4000
"""Columns where nobody looks: a table in a pipe is never folded or cut."""


def shown(text: object) -> str:
    """Text from elsewhere (server, file names), harmless to a terminal: one line, no control codes."""
    return "".join(" " if c in "\r\n\t" else "\ufffd" if _drives(c) else c for c in str(text))


def _drives(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cf", "Cs"}


def emit_json(document: Mapping[str, Any], *, pretty: bool) -> None:
    """One JSON document on standard output: indented, or a line of JSON Lines."""
    text = json.dumps(document, indent=2 if pretty else None, ensure_ascii=False, default=str)
    print_line(text, sys.stdout)


def print_line(text: str, stream: TextIO) -> None:
    """A line, whole and at once, whatever the encoding of the stream can show."""
    encoding = stream.encoding or "utf-8"
    try:
        stream.write(text.encode(encoding, "replace").decode(encoding) + "\n")
        stream.flush()
    except BrokenPipeError:
        if stream is not sys.stderr:
            raise
        close_pipes()  # words on the way end no work, and change no exit code, where nobody reads them


def result(text: str) -> None:
    """A line that is the result, on standard output."""
    print_line(shown(text), sys.stdout)


def say(text: str) -> None:
    """A line for the user that is no result."""
    print_line(shown(text), sys.stderr)


def say_error(message: str, hint: str | None = None) -> None:
    """The two lines of a fault: what went wrong, and what to do."""
    say(f"error: {message}")
    if hint:
        say(f"hint: {hint}")


def is_live() -> bool:
    """Somebody looks at a terminal that can redraw: both streams go there."""
    return sys.stdout.isatty() and sys.stderr.isatty() and not console(sys.stderr).is_dumb_terminal


def console(stream: TextIO) -> Console:
    """A console that writes there; without colour, control codes and folding where that is no terminal."""
    from rich.console import Console  # noqa: PLC0415 - rich is not loaded for --json and --help

    if stream.isatty():
        return Console(file=stream, highlight=False, markup=False, emoji=False)
    return Console(
        file=stream,
        highlight=False,
        markup=False,
        emoji=False,
        width=_PIPE_WIDTH,
        color_system=None,
        force_terminal=False,
    )


def show(renderable: RenderableType) -> None:
    """A table or text on standard output."""
    out = console(sys.stdout)
    # Through our own writer: rich ends the process by itself when a pipe closes.
    with out.capture() as captured:
        out.print(renderable)
    lines = captured.get().rstrip("\n").split("\n")
    print_line("\n".join(line.rstrip() for line in lines), sys.stdout)
