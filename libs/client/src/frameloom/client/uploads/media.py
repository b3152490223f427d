"""The media on its way to the server: read in pieces, and counted."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO

from frameloom.client.errors import UsageError

OnBytes = Callable[[int], None]
"""Told the number of bytes that have passed so far."""
Source = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | IO[bytes]
"""What can be uploaded: a path, bytes, or a file open for reading."""


class Media:
    """A file that is read from its present place to its end, and tells how far it has been read.

    It has just what httpx needs of a file: ``read``, ``seek``, and what tells its length, so the body has a
    Content-Length and is never in memory as a whole. It is as long as when it was opened: a recording that
    still grows is sent up to there.

    Args:
        file: Open for reading.
        filename: What the server is to call it.
        on_bytes: Called after each piece with the number of bytes read so far.

    Attributes:
        filename: What the server is to call it.
        size: Its length in bytes from its place at the start, as of then; None: it can not be known, a pipe.
    """

    def __init__(self, file: IO[bytes], filename: str, on_bytes: OnBytes | None) -> None:
        self._file = file
        self._on_bytes = on_bytes
        self._start, self.size = _measure(file)
        self._done = 0
        self.filename = filename

    @property
    def repeatable(self) -> bool:
        """Whether it can be read once more from the start."""
        return self.size is not None

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Goes to a place, counted from where it was at the start.

        Raises:
            UnsupportedOperation: It is a pipe; httpx then sends it without telling a length.
        """
        self._need_length()
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._done, io.SEEK_END: self.size or 0}[whence]
        self._done = max(0, base + offset)
        self._file.seek(self._start + self._done)
        return self._done

    def tell(self) -> int:
        """The place, counted from where it was at the start.

        Raises:
            UnsupportedOperation: It is a pipe.
        """
        self._need_length()
        return self._done

    def read(self, size: int = -1) -> bytes:
        """The next piece.

        Raises:
            OSError: The file has become shorter since it was opened.
        """
        if self.size is None:
            piece = self._file.read(size)
        else:
            left = self.size - self._done
            piece = self._file.read(left if size < 0 else min(size, left))
            if not piece and left:
                raise OSError("it became shorter while it was read")
        self._done += len(piece)
        if self._on_bytes is not None and piece:
            self._on_bytes(self._done)
        return piece

    def __iter__(self) -> Iterator[bytes]:
        while piece := self.read(1 << 16):
            yield piece

    def _need_length(self) -> None:
        if self.size is None:
            raise io.UnsupportedOperation("a pipe can be read once only")


@contextmanager
def opened(source: Source, filename: str | None, on_bytes: OnBytes | None) -> Iterator[Media]:
    """The media of any kind of source. What is opened here is closed here; a file that was open stays so.

    Raises:
        UsageError: It can not be read, or is no binary file.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        yield Media(io.BytesIO(source), _sendable(filename or "media"), on_bytes)
        return
    if not isinstance(source, str | os.PathLike):
        if isinstance(source, io.TextIOBase) or not hasattr(source, "read"):
            raise UsageError("What is uploaded must be a path, bytes, or a file open in binary mode")
        named = getattr(source, "name", None)
        name = filename or (Path(named).name if isinstance(named, str) else "media")
        with _explained(name):
            yield Media(source, _sendable(name), on_bytes)
        return
    path = Path(source)
    with _explained(str(path)), path.open("rb") as file:
        yield Media(file, _sendable(filename or path.name), on_bytes)


@contextmanager
def _explained(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(f"{name} can not be read: {error.strerror or error}") from error


def _measure(file: IO[bytes]) -> tuple[int, int | None]:
    """Where it stands, and how much follows; None where that can not be known."""
    try:
        start = file.tell()
        end = file.seek(0, io.SEEK_END)
        file.seek(start)
    except (OSError, AttributeError):
        return 0, None
    return start, max(0, end - start)


def _sendable(name: str) -> str:
    """A file name that is not valid text on this system still makes a header."""
    return name.encode("utf-8", "replace").decode()
