"""What uploads in parts need of the object store, beside what everybody needs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from frameloom.common.documents.upload import StoredPart
from frameloom.common.ports.objects import ObjectStore

LEAST_PART_BYTES = 5 * 1024**2
"""Every part but the last must be this large."""
MOST_PARTS = 10_000


class PartedStore(ObjectStore, Protocol):
    """An object store whose objects can come in parts, and straight from clients."""

    async def begin_parts(self, key: str, content_type: str) -> str:
        """Begins an object that comes in parts, which does not show yet; answers the store's id of it."""
        ...

    async def put_part(self, key: str, store_id: str, number: int, body: bytes) -> StoredPart:
        """Stores a part; one of the same number is replaced.

        Raises:
            PartsLostError: The store does not know of this any more.
        """
        ...

    async def join_parts(self, key: str, store_id: str, parts: Sequence[StoredPart], size_bytes: int) -> None:
        """Makes the object of these parts, in the order of their numbers; others are dropped.

        Raises:
            PartsLostError: The store does not know of this any more: also, when it was done before.
            PartsMismatchError: A part is not there, is another one, or is too small, or together they have
                not this size. They stay as they are.
        """
        ...

    async def drop_parts(self, key: str, store_id: str) -> None:
        """Gives an object in parts up, with all that has come. One that is not there counts as dropped."""
        ...

    async def unjoined(self, before: datetime) -> list[tuple[str, str]]:
        """Key and store's id of objects in parts that were begun before a time; of many, some."""
        ...

    async def presigned_put(self, key: str, *, seconds: int) -> str | None:
        """An address under which anybody can store an object for a while; None: the store has none."""
        ...

    async def presigned_part(self, key: str, store_id: str, number: int, *, seconds: int) -> str | None:
        """The same for a part."""
        ...
