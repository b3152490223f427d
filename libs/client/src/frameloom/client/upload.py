"""The media file on its way to the server: read from disk in pieces, and counted."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Self


class CountingFile:
    """A file opened for reading that tells how far it has been read.

    It has just what httpx needs of a file: ``read``, and ``fileno`` to learn its length, so the body has
    a Content-Length and is never in memory as a whole. It is as long as when it was opened: a recording
    that still grows is sent up to there.

    Args:
        path: The file.
        on_bytes: Called after each piece with the number of bytes read so far.

    Raises:
        OSError: The file can not be opened.
    """

    def __init__(self, path: Path, on_bytes: Callable[[int], None] | None) -> None:
        self._file: IO[bytes] = path.open("rb")
        self._on_bytes = on_bytes
        self._size = os.fstat(self._file.fileno()).st_size
        self._done = 0

    @property
    def size(self) -> int:
        """Its length in bytes, as of its opening."""
        return self._size

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def fileno(self) -> int:
        """The descriptor, from which the length is taken."""
        return self._file.fileno()

    def seek(self, offset: int, whence: int = 0) -> int:
        """Starts over: httpx does so before it sends."""
        self._done = self._file.seek(offset, whence)
        return self._done

    def read(self, size: int = -1) -> bytes:
        """The next piece.

        Raises:
            OSError: The file has become shorter since it was opened.
        """
        left = self._size - self._done
        piece = self._file.read(left if size < 0 else min(size, left))
        if not piece and left:
            raise OSError("it became shorter while it was read")
        self._done += len(piece)
        if self._on_bytes is not None and piece:
            self._on_bytes(self._done)
        return piece

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        piece = self.read(1 << 16)
        if not piece:
            raise StopIteration
        return piece
