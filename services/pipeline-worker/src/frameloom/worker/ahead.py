"""Decoding ahead: a thread fills a short queue while the pipelines compute.

Decoders and models spend their time in native code, without Python's lock, so one thread beside the
pipelines' own is enough to keep both busy, and what it hands over is shared memory: nothing is copied. The
queue is bounded in bytes, so a slow pipeline holds the decoder up, whatever the length of the file.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Generic, Self, TypeVar

AHEAD_BYTES = 64 * 1024 * 1024
"""What may wait in a queue. One item above it may wait alone."""

T = TypeVar("T")


class Ahead(Generic[T]):
    """Runs through an iterable in a thread of its own; iterate once, within the block.

    Args:
        items: What is run through; nothing else may touch it until the block has ended.
        size: Bytes that an item holds.
        limit_bytes: See ``AHEAD_BYTES``.
    """

    def __init__(
        self, items: Iterable[T], size: Callable[[T], int], *, limit_bytes: int = AHEAD_BYTES
    ) -> None:
        self._items = items
        self._size = size
        self._limit = limit_bytes
        self._changed = threading.Condition()
        self._ready: deque[T] = deque()
        self._bytes = 0
        self._over = False
        self._stopped = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="decode-ahead", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Returns when the thread has ended: after the item that it is making at most."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._thread.join()
        self._ready.clear()

    def __iter__(self) -> Iterator[T]:
        """Yields the items in order; at the end raises what the thread ended with, if it was an error."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._ready or self._over)
                if not self._ready:
                    break
                item = self._ready.popleft()
                self._bytes -= self._size(item)
                self._changed.notify_all()
            yield item
            del item  # else it would live until the next one is there
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            for item in self._items:
                if not self._put(item):
                    return
        except BaseException as error:  # noqa: BLE001 - it is raised where the items are used
            self._error = error
        finally:
            with self._changed:
                self._over = True
                self._changed.notify_all()

    def _put(self, item: T) -> bool:
        """False: nobody wants any more."""
        size = self._size(item)
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._fits(size))
            if self._stopped:
                return False
            self._ready.append(item)
            self._bytes += size
            self._changed.notify_all()
        return True

    def _fits(self, size: int) -> bool:
        return not self._ready or self._bytes + size <= self._limit
