"""An object as a file for FFmpeg, fetched by ranges."""

from __future__ import annotations

import io
from collections import OrderedDict
from collections.abc import Callable

from frameloom.gateway.probe.reasons import Reason, Refused

_FIRST_BYTES = 256 * 1024
_WINDOWS = 4
"""Beginning, index, and where picture and sound are read."""

Fetch = Callable[[int, int], bytes]


class RangeFile:
    """Reads through a few windows; one that follows its neighbour is larger, up to a limit.

    Args:
        fetch: Answers a range by offset and length.
        size_bytes: Of the object.
        limit_bytes: How much may be fetched in all.
        window_bytes: Largest range that is fetched at once.

    Attributes:
        refused: Set once the limit was reached: FFmpeg may have swallowed what was raised then.
    """

    def __init__(self, fetch: Fetch, size_bytes: int, limit_bytes: int, window_bytes: int) -> None:
        self.refused: Refused | None = None
        self._fetch = fetch
        self._size = size_bytes
        self._limit = limit_bytes
        self._largest = window_bytes
        self._at = 0
        self._fetched = 0
        self._windows: OrderedDict[int, bytes] = OrderedDict()
        self._last = (0, 0)

    def read(self, size: int = -1, /) -> bytes:
        """Up to so many bytes; none at the end."""
        left = max(0, self._size - self._at)
        wanted = left if size < 0 else min(size, left)
        parts: list[bytes] = []
        while wanted:
            part = self._some(wanted)
            parts.append(part)
            wanted -= len(part)
            self._at += len(part)
        return b"".join(parts)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Goes to a place, and answers it."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError("a place before the beginning")
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        """Where the next read begins."""
        return self._at

    def _some(self, wanted: int) -> bytes:
        """At least one byte from where we are."""
        for start, data in self._windows.items():
            if start <= self._at < start + len(data):
                self._windows.move_to_end(start)
                return data[self._at - start : self._at - start + wanted]
        return self._window()[:wanted]

    def _window(self) -> bytes:
        start, length = self._last
        follows = length > 0 and start + length == self._at
        length = min(length * 2 if follows else _FIRST_BYTES, self._largest, self._size - self._at)
        self._fetched += length
        if self._fetched > self._limit:
            self.refused = Refused(Reason.READS, limit=self._limit)
            raise self.refused
        data = self._fetch(self._at, length)
        if not data:
            raise EOFError
        self._windows[self._at] = data
        self._last = (self._at, len(data))
        if len(self._windows) > _WINDOWS:
            self._windows.popitem(last=False)
        return data
