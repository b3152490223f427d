"""What the services need of the object store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What the store tells of an object without sending it."""

    key: str
    size_bytes: int
    etag: str
    content_type: str | None = None
    modified: datetime | None = None


class ObjectStore(Protocol):
    """Holds bytes under keys. A put is atomic: a reader sees the whole object or none."""

    async def put(self, key: str, body: bytes, content_type: str) -> None:
        """Stores a small object held in memory."""
        ...

    async def put_file(self, key: str, path: Path, content_type: str) -> None:
        """Stores a file, in parts when it is large."""
        ...

    async def put_stream(self, key: str, chunks: AsyncIterator[bytes], content_type: str) -> int:
        """Stores a stream of unknown length with bounded memory; answers its size in bytes.

        Nothing is stored when the stream raises; its exception passes through.
        """
        ...

    async def info(self, key: str) -> ObjectInfo:
        """Facts of an object.

        Raises:
            ObjectNotFoundError: There is none.
        """
        ...

    def read(
        self, key: str, *, offset: int = 0, length: int | None = None, etag: str | None = None
    ) -> AsyncIterator[bytes]:
        """Streams an object, or a range of it; with ``etag`` only while it is still this one.

        Raises:
            ObjectNotFoundError: There is none.
            ObjectChangedError: It has another ETag now.
        """
        ...

    async def fetch(self, key: str, path: Path) -> None:
        """Stores an object as a file; the file appears whole or not at all."""
        ...

    async def copy(self, source: str, target: str, content_type: str, *, etag: str | None = None) -> None:
        """Copies an object inside the store, under another content type; with ``etag`` only this one.

        Raises:
            ObjectNotFoundError: There is no source.
            ObjectChangedError: It has another ETag now.
        """
        ...

    async def presigned_get(
        self, key: str, *, seconds: int, disposition: str, content_type: str
    ) -> str | None:
        """An address under which anybody can fetch an object for a while; None: the store has none.

        It can not be called back: keep it short, and give it only to whom the object may be given. The store
        is not asked, so it may lead to nothing.

        Args:
            key: Of the object.
            seconds: How long it works.
            disposition: The ``Content-Disposition`` that it is answered with, whatever else is asked for.
            content_type: Its ``Content-Type``, likewise.
        """
        ...

    async def keys(self, prefix: str) -> list[str]:
        """The keys that begin with ``prefix``, in order."""
        ...

    async def folders(self, prefix: str) -> list[str]:
        """What stands before the next slash after ``prefix`` (which ends in one), slash included, in order.

        So that who wants to know of whom there is something need not list all of it.
        """
        ...

    async def delete(self, keys: Sequence[str]) -> None:
        """Removes objects; those that are not there count as removed."""
        ...
