"""An object store in a dictionary."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from pathlib import Path

from frameloom.common.clock import Clock, SystemClock
from frameloom.common.errors import ObjectChangedError, ObjectNotFoundError
from frameloom.common.ports.objects import ObjectInfo

_BLOCK_BYTES = 64 * 1024


class MemoryObjectStore:
    """Holds objects in memory.

    Attributes:
        held: (body, content type) by key.
        modified: When each key was written.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self.held: dict[str, tuple[bytes, str]] = {}
        self.modified: dict[str, datetime] = {}
        self._clock = clock or SystemClock()

    async def put(self, key: str, body: bytes, content_type: str) -> None:
        """Stores a small object."""
        self._store(key, body, content_type)

    async def put_file(self, key: str, path: Path, content_type: str) -> None:
        """Stores a file."""
        self._store(key, path.read_bytes(), content_type)  # noqa: ASYNC240 - memory, for tests

    async def put_stream(self, key: str, chunks: AsyncIterator[bytes], content_type: str) -> int:
        """Stores a stream; nothing when it raises."""
        body = b"".join([chunk async for chunk in chunks])
        self._store(key, body, content_type)
        return len(body)

    async def info(self, key: str) -> ObjectInfo:
        """Facts of an object."""
        body, content_type = self._get(key)
        return ObjectInfo(
            key, len(body), hashlib.sha256(body).hexdigest(), content_type, self.modified.get(key)
        )

    async def read(
        self, key: str, *, offset: int = 0, length: int | None = None, etag: str | None = None
    ) -> AsyncIterator[bytes]:
        """Streams an object, or a range of it."""
        body = self._same(key, etag)
        wanted = body[offset : None if length is None else offset + length]
        for start in range(0, len(wanted), _BLOCK_BYTES):
            yield wanted[start : start + _BLOCK_BYTES]

    async def fetch(self, key: str, path: Path) -> None:
        """Stores an object as a file."""
        path.write_bytes(self._get(key)[0])  # noqa: ASYNC240 - memory, for tests

    async def copy(self, source: str, target: str, content_type: str, *, etag: str | None = None) -> None:
        """Copies an object."""
        self._store(target, self._same(source, etag), content_type)

    async def presigned_get(
        self,
        key: str,  # noqa: ARG002
        *,
        seconds: int,  # noqa: ARG002
        disposition: str,  # noqa: ARG002
        content_type: str,  # noqa: ARG002
    ) -> str | None:
        """None: nobody can reach into this process's memory."""
        return None

    async def keys(self, prefix: str) -> list[str]:
        """The keys that begin with a prefix."""
        return sorted(key for key in self.held if key.startswith(prefix))

    async def folders(self, prefix: str) -> list[str]:
        """What stands before the next slash after a prefix."""
        below = {key.removeprefix(prefix) for key in self.held if key.startswith(prefix)}
        return sorted({f"{prefix}{rest.partition('/')[0]}/" for rest in below if "/" in rest})

    async def delete(self, keys: Sequence[str]) -> None:
        """Removes objects."""
        for key in keys:
            self.held.pop(key, None)

    def _store(self, key: str, body: bytes, content_type: str) -> None:
        self.held[key] = (body, content_type)
        self.modified[key] = self._clock.now()

    def _same(self, key: str, etag: str | None) -> bytes:
        body, _ = self._get(key)
        if etag is not None and hashlib.sha256(body).hexdigest() != etag:
            raise ObjectChangedError(key)
        return body

    def _get(self, key: str) -> tuple[bytes, str]:
        if key not in self.held:
            raise ObjectNotFoundError(key)
        return self.held[key]
