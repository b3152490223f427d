"""What the children write: to the terminal under a coloured name, and to a file."""

from __future__ import annotations

import asyncio
import zlib
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO, Protocol, TextIO

_NAME_WIDTH = 10
_LONGEST_LINE_BYTES = 64 * 1024
_CHUNK_BYTES = 32 * 1024
_COLOURS = (36, 32, 33, 35, 34, 96, 92, 93, 95, 94)


class LogSink(Protocol):
    """Takes lines of a named process."""

    def write(self, name: str, line: str) -> None:
        """Takes one line, without its end."""


class TerminalSink:
    """Lines in a terminal, each under the name of its process.

    Args:
        stream: Where to; standard error, as a rule.
        colour: Whether names are coloured; when not given, whether the stream is a terminal.
    """

    def __init__(self, stream: TextIO, *, colour: bool | None = None) -> None:
        self._stream = stream
        self._colour = stream.isatty() if colour is None else colour

    def write(self, name: str, line: str) -> None:
        """Writes ``name | line``."""
        label = name.ljust(_NAME_WIDTH)
        if self._colour:
            number = _COLOURS[zlib.crc32(name.encode()) % len(_COLOURS)]
            label = f"\x1b[{number}m{label}\x1b[0m"
        self._stream.write(f"{label} | {line}\n")
        self._stream.flush()


class FileSink:
    """Lines in a file, each after the name of its process."""

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = path.open("ab", buffering=0)

    def write(self, name: str, line: str) -> None:
        """Appends ``name | line``."""
        self._file.write(f"{name.ljust(_NAME_WIDTH)} | {line}\n".encode(errors="replace"))

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


class Tee:
    """The same lines to several sinks."""

    def __init__(self, sinks: Sequence[LogSink]) -> None:
        self._sinks = sinks

    def write(self, name: str, line: str) -> None:
        """Hands the line to each."""
        for sink in self._sinks:
            sink.write(name, line)


async def pump(reader: asyncio.StreamReader, take: Callable[[str], None], last: deque[str]) -> None:
    """Reads a child's output to its end, line by line; an overlong line is cut into pieces.

    Args:
        reader: The pipe.
        take: Gets every line.
        last: Keeps the last lines (bounded by its own ``maxlen``).
    """
    rest = b""
    while chunk := await reader.read(_CHUNK_BYTES):
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > _LONGEST_LINE_BYTES:
            lines, rest = [*lines, rest], b""
        for line in lines:
            _hand_over(line, take, last)
    if rest:
        _hand_over(rest, take, last)


def _hand_over(line: bytes, take: Callable[[str], None], last: deque[str]) -> None:
    text = line.decode(errors="replace").rstrip("\r")
    last.append(text)
    take(text)
