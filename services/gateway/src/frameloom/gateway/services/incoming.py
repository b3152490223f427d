"""The bytes of an upload on their way: counted, hashed, and looked at before they go on."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import AsyncIterator

from frameloom.gateway.errors import PayloadTooLargeError


class Incoming:
    """Counts and hashes a stream on its way, and lets its first bytes be seen beforehand.

    Attributes:
        crc32: Of all bytes that have passed.
    """

    def __init__(self, chunks: AsyncIterator[bytes], max_bytes: int) -> None:
        self._chunks = chunks
        self._max_bytes = max_bytes
        self._seen = 0
        self._held: list[bytes] = []
        self._hash = hashlib.sha256()
        self.crc32 = 0

    @property
    def sha256(self) -> str:
        """Of all bytes that have passed."""
        return self._hash.hexdigest()

    @property
    def size_bytes(self) -> int:
        """How many bytes have passed."""
        return self._seen

    async def head(self, wanted: int) -> bytes:
        """The first ``wanted`` bytes, or all if there are fewer; :meth:`all` still yields them.

        Raises:
            PayloadTooLargeError: They are beyond the limit.
        """
        while self._seen < wanted and (chunk := await self._next()):
            self._held.append(chunk)
        return b"".join(self._held)[:wanted]

    async def all(self) -> AsyncIterator[bytes]:
        """Every byte, those of the head included."""
        while self._held:
            yield self._held.pop(0)
        while chunk := await self._next():
            yield chunk

    async def aclose(self) -> None:
        """Ends the stream below."""
        if (close := getattr(self._chunks, "aclose", None)) is not None:
            await close()

    async def _next(self) -> bytes:
        """The next chunk; empty at the end."""
        async for chunk in self._chunks:
            if not chunk:
                continue
            self._seen += len(chunk)
            if self._seen > self._max_bytes:
                raise PayloadTooLargeError("The file", self._max_bytes)
            self._hash.update(chunk)
            self.crc32 = zlib.crc32(chunk, self.crc32)
            return chunk
        return b""
