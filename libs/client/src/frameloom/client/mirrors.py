"""How the plain client comes out of the asynchronous one: its methods, run on a loop on a thread of its own.

There is one implementation, and no second list of parameters that could differ from it. It also works where
an event loop already runs, such as in a notebook.
"""

from __future__ import annotations

import asyncio
import functools
import threading
import warnings
import weakref
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from concurrent.futures import Future
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

_A = TypeVar("_A")
_A_co = TypeVar("_A_co", covariant=True)
_P = ParamSpec("_P")
_T = TypeVar("_T")


class Loop:
    """An event loop on a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="frameloom-client", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """The result of the work, which is cancelled if the waiting for it is broken off.

        Raises:
            RuntimeError: Called from a callback of the client, or after it was closed.
        """
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("A callback of a client must not call the client")
        if self.closed:
            work.close()
            raise RuntimeError("The client is closed")
        future: Future[_T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            # Ctrl-C here must not leave the work running over there.
            future.cancel()
            raise

    def close(self, last: Callable[[], Coroutine[Any, Any, None]] | None = None) -> None:
        """Ends the loop, after some last work; a second call does nothing."""
        if self.closed:
            return
        if last is not None:
            self.run(last())
        self.run(self._loop.shutdown_asyncgens())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def closed(self) -> bool:
        """Nothing runs here any more."""
        return self._loop.is_closed()


class Mirror(Generic[_A_co]):
    """Something asynchronous, for plain code.

    Args:
        inner: The asynchronous thing.
        loop: Where its methods run.
    """

    def __init__(self, inner: _A_co, loop: Loop) -> None:
        self._inner = inner
        self._loop = loop


def abandoned(
    owner: object, loop: Loop, last: Callable[[], Coroutine[Any, Any, None]], name: str
) -> weakref.finalize[Any, Any]:
    """Ends a loop that nobody has closed, when its owner goes; and says so, as Python does of open files."""

    def end() -> None:
        warnings.warn(f"unclosed {name}", ResourceWarning, stacklevel=2)
        loop.close(last)

    return weakref.finalize(owner, end)


def mirrored(
    method: Callable[Concatenate[_A, _P], Coroutine[Any, Any, _T]],
) -> Callable[Concatenate[Mirror[_A], _P], _T]:
    """A plain method for an asynchronous one, with the same parameters."""

    def call(self: Mirror[_A], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return self._loop.run(method(self._inner, *args, **kwargs))

    return _dressed(call, method)


def iterated(
    method: Callable[Concatenate[_A, _P], AsyncGenerator[_T, None]],
) -> Callable[Concatenate[Mirror[_A], _P], Generator[_T, None, None]]:
    """A plain generator for an asynchronous one; leaving it early closes that one."""

    def call(self: Mirror[_A], /, *args: _P.args, **kwargs: _P.kwargs) -> Generator[_T, None, None]:
        feed = method(self._inner, *args, **kwargs)
        try:
            while True:
                try:
                    yield self._loop.run(_next(feed))
                except StopAsyncIteration:
                    return
        finally:
            if not self._loop.closed:
                self._loop.run(_closed(feed))

    return _dressed(call, method)


def _dressed(call: Callable[_P, _T], method: Callable[..., Any]) -> Callable[_P, _T]:
    """With the name and the text of the method that it stands for."""
    functools.update_wrapper(call, method)
    return call


async def _next(feed: AsyncGenerator[_T, None]) -> _T:
    return await anext(feed)


async def _closed(feed: AsyncGenerator[_T, None]) -> None:
    await feed.aclose()
