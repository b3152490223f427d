"""Objects in parts, in a dictionary."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

from frameloom.common.adapters.memory.objects import MemoryObjectStore
from frameloom.common.clock import Clock, new_id
from frameloom.common.documents.upload import StoredPart
from frameloom.common.errors import PartsLostError, PartsMismatchError


class MemoryPartedStore(MemoryObjectStore):
    """Holds objects and their parts in memory.

    Attributes:
        joining: (key, content type, parts by number) by the id of what is not joined yet.
        least_part_bytes: How large every part but the last must be.
    """

    def __init__(self, clock: Clock | None = None, *, least_part_bytes: int = 5 * 1024**2) -> None:
        super().__init__(clock)
        self.joining: dict[str, tuple[str, str, dict[int, bytes]]] = {}
        self.begun: dict[str, datetime] = {}
        self.least_part_bytes = least_part_bytes

    async def begin_parts(self, key: str, content_type: str) -> str:
        """Begins an object that comes in parts."""
        store_id = new_id()
        self.joining[store_id] = (key, content_type, {})
        self.begun[store_id] = self._clock.now()
        return store_id

    async def put_part(self, key: str, store_id: str, number: int, body: bytes) -> StoredPart:
        """Stores a part."""
        self._parts(key, store_id)[number] = body
        return StoredPart(number=number, etag=_etag(body))

    async def join_parts(self, key: str, store_id: str, parts: Sequence[StoredPart], size_bytes: int) -> None:
        """Makes the object of these parts."""
        held = self._parts(key, store_id)
        numbers = [part.number for part in parts]
        bodies = [held.get(number) for number in numbers]
        fit = all(
            body is not None and _etag(body) == part.etag.strip('"')
            for body, part in zip(bodies, parts, strict=True)
        )
        small = any(body is not None and len(body) < self.least_part_bytes for body in bodies[:-1])
        wrong = sum(len(body or b"") for body in bodies) != size_bytes
        if not parts or not fit or small or wrong or numbers != sorted(set(numbers)):
            raise PartsMismatchError(f"The parts of {key} do not fit")
        _, content_type, _ = self.joining.pop(store_id)
        self._store(key, b"".join(body for body in bodies if body is not None), content_type)

    async def drop_parts(self, key: str, store_id: str) -> None:  # noqa: ARG002
        """Gives an object in parts up."""
        self.joining.pop(store_id, None)

    async def unjoined(self, before: datetime) -> list[tuple[str, str]]:
        """Objects in parts that were begun before a time."""
        found = [(key, store_id) for store_id, (key, *_) in self.joining.items()]
        return [(key, store_id) for key, store_id in found if self.begun[store_id] < before]

    async def presigned_put(self, key: str, *, seconds: int) -> str | None:  # noqa: ARG002
        """None: nobody can reach into this process's memory."""
        return None

    async def presigned_part(
        self,
        key: str,  # noqa: ARG002
        store_id: str,  # noqa: ARG002
        number: int,  # noqa: ARG002
        *,
        seconds: int,  # noqa: ARG002
    ) -> str | None:
        """None, as above."""
        return None

    def _parts(self, key: str, store_id: str) -> dict[int, bytes]:
        found = self.joining.get(store_id)
        if found is None or found[0] != key:
            raise PartsLostError(f"The parts of {key} are gone")
        return found[2]


def _etag(body: bytes) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()
