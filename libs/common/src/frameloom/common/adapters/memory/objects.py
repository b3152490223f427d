"""An object store in a dictionary."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from frameloom.common.errors import ObjectNotFoundError
from frameloom.common.ports.objects import ObjectInfo

_BLOCK_BYTES = 64 * 1024


class MemoryObjectStore:
    """Holds objects in memory.

    Attributes:
        held: (body, content type) by key.
    """

    def __init__(self) -> None:
        self.held: dict[str, tuple[bytes, str]] = {}

    async def put(self, key: str, body: bytes, content_type: str) -> None:
        """Stores a small object."""
        self.held[key] = (body, content_type)

    async def put_file(self, key: str, path: Path, content_type: str) -> None:
        """Stores a file."""
        self.held[key] = (path.read_bytes(), content_type)  # noqa: ASYNC240 - memory, for tests

    async def put_stream(self, key: str, chunks: AsyncIterator[bytes], content_type: str) -> int:
        """Stores a stream; nothing when it raises."""
        body = b"".join([chunk async for chunk in chunks])
        self.held[key] = (body, content_type)
        return len(body)

    async def info(self, key: str) -> ObjectInfo:
        """Facts of an object."""
        body, content_type = self._get(key)
        return ObjectInfo(key, len(body), hashlib.sha256(body).hexdigest(), content_type)

    async def read(self, key: str, *, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """Streams an object, or a range of it."""
        body, _ = self._get(key)
        wanted = body[offset : None if length is None else offset + length]
        for start in range(0, len(wanted), _BLOCK_BYTES):
            yield wanted[start : start + _BLOCK_BYTES]

    async def fetch(self, key: str, path: Path) -> None:
        """Stores an object as a file."""
        path.write_bytes(self._get(key)[0])  # noqa: ASYNC240 - memory, for tests

    async def keys(self, prefix: str) -> list[str]:
        """The keys that begin with a prefix."""
        return sorted(key for key in self.held if key.startswith(prefix))

    async def delete(self, keys: Sequence[str]) -> None:
        """Removes objects."""
        for key in keys:
            self.held.pop(key, None)

    def _get(self, key: str) -> tuple[bytes, str]:
        if key not in self.held:
            raise ObjectNotFoundError(key)
        return self.held[key]
