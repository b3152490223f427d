"""Compare-and-set: read, decide, write if nothing has changed, else decide again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from frameloom.common.documents.base import Document
from frameloom.common.errors import NotFoundError, TransientError
from frameloom.common.machines.transition import Change, Refused

D = TypeVar("D", bound=Document)
_TRIES = 16


class Store(Protocol[D]):
    """The part of a store that compare-and-set needs."""

    async def get(self, key: str, /) -> D | None:
        """The document, or None."""
        ...

    async def apply(self, change: Change[D], /) -> D | None:
        """Writes the change if the document is still as it was."""
        ...


class ContendedError(TransientError):
    """The document changed under us again and again."""

    code = "CONTENDED"


async def transact(
    store: Store[D], key: str, decide: Callable[[D], Change[D]], *, known: D | None = None
) -> D:
    """Applies a decision to the document as it is now.

    Args:
        store: Where the document lives.
        key: Its id.
        decide: Pure; called anew on each fresh read.
        known: A copy read earlier, tried first to spare a read.

    Returns:
        The document as written.

    Raises:
        Refused: The machine does not allow it; nothing was written.
        NotFoundError: There is no such document.
        ContendedError: Others kept changing it.
    """
    current = known
    for _ in range(_TRIES):
        if current is None and (current := await store.get(key)) is None:
            raise NotFoundError(f"The document {key} does not exist")
        change = decide(current)
        if (written := await store.apply(change)) is not None:
            return written
        latest = await store.get(key)
        if change.guard is not None and latest is not None and latest.rev == current.rev:
            raise Refused(change.guard, "the database's clock says no")
        current = latest
    raise ContendedError(f"The document {key} is contended", hint="Try again.")
