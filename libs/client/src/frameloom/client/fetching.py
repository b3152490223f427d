"""A file on its way to disk: taken up where the line breaks, checked, and in its place only when whole."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import httpx

from frameloom.client.errors import IntegrityError, UnreachableError, UsageError

_TRIES = 4
_FIRST_PAUSE_SECONDS = 0.5

OnProgress = Callable[[int, int | None], None]
"""Told the number of bytes that have arrived, and how many there are in all, if that is known."""


class Streams(Protocol):
    """What is needed of a connection."""

    def stream(self, path: str, **options: Any) -> AbstractAsyncContextManager[httpx.Response]:
        """A GET whose body is read piece by piece."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file that the server has.

    Attributes:
        path: Where, below the server's address.
        name: What it is called in messages.
        params: Of the query.
        size_bytes: Its length, if the server has told it beforehand.
        sha256: Its digest in hexadecimal, if the server has told it beforehand.
    """

    path: str
    name: str
    params: Mapping[str, str] = field(default_factory=dict)
    size_bytes: int | None = None
    sha256: str | None = None


@dataclass(slots=True)
class Fetched:
    """What has arrived of a file.

    Attributes:
        size: Bytes.
        total: Bytes in all, as far as the server tells.
    """

    out: BinaryIO
    size: int = 0
    total: int | None = None
    etag: str | None = None
    _digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    @property
    def sha256(self) -> str:
        """Of what has arrived."""
        return self._digest.hexdigest()

    def take_up(self, response: httpx.Response) -> None:
        """Goes on where the file broke off, if that is what the server sends; else begins again."""
        start = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
        if response.status_code != 206 or start != str(self.size):
            self.out.seek(0)
            self.out.truncate()
            self.size, self._digest = 0, hashlib.sha256()
        rest = response.headers.get("Content-Length", "")
        self.total = self.size + int(rest) if rest.isascii() and rest.isdecimal() else None
        tag = response.headers.get("ETag")
        # A weak tag does not promise the same bytes, so it can not continue a download.
        self.etag = tag if tag and not tag.startswith("W/") else None

    def add(self, piece: bytes) -> None:
        """Takes the next piece."""
        self.out.write(piece)
        self._digest.update(piece)
        self.size += len(piece)


async def fetch(
    connection: Streams,
    wanted: Wanted,
    target: Path,
    *,
    on_progress: OnProgress | None = None,
    check: Callable[[Path], None] | None = None,
) -> Fetched:
    """One file to ``target``, by a temporary neighbour: a file under the final name is always whole.

    Args:
        connection: Where from.
        wanted: What.
        target: Where to; a file that is there is replaced.
        on_progress: Called after each piece.
        check: Looks at the file before it gets its name, on another thread, and raises if it is bad.

    Raises:
        IntegrityError: It is not what the server announced.
        RefusedError: The server has no such file.
        UnreachableError: The line broke more often than is borne.
        UsageError: The disk does not take it.
    """
    part = target.with_name(f".frameloom-{secrets.token_hex(6)}.part")
    try:
        with part.open("xb") as out:
            fetched = Fetched(out)
            await _read(connection, wanted, fetched, on_progress)
        _verify(wanted, fetched)
        if check is not None:
            await asyncio.to_thread(check, part)
        part.replace(target)
    except OSError as error:
        raise UsageError(f"{target} can not be written: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)
    return fetched


async def _read(
    connection: Streams, wanted: Wanted, fetched: Fetched, on_progress: OnProgress | None
) -> None:
    for attempt in range(1, _TRIES + 1):
        headers = {"Accept": "*/*", "Accept-Encoding": "identity"}
        if fetched.size and fetched.etag:
            headers |= {"Range": f"bytes={fetched.size}-", "If-Range": fetched.etag}
        try:
            async with connection.stream(wanted.path, params=wanted.params, headers=headers) as response:
                fetched.take_up(response)
                async for piece in response.aiter_bytes():
                    fetched.add(piece)
                    if on_progress is not None:
                        on_progress(fetched.size, fetched.total or wanted.size_bytes)
                return
        except UnreachableError:
            if attempt == _TRIES:
                raise
        await asyncio.sleep(_FIRST_PAUSE_SECONDS * 2 ** (attempt - 1))


def _verify(wanted: Wanted, fetched: Fetched) -> None:
    hint = "Try again; if it stays so, the file is damaged on the server"
    if wanted.size_bytes is not None and fetched.size != wanted.size_bytes:
        raise IntegrityError(
            f"{wanted.name} has {fetched.size} bytes, the server announced {wanted.size_bytes}", hint=hint
        )
    if wanted.sha256 is not None and fetched.sha256 != wanted.sha256.lower():
        raise IntegrityError(f"{wanted.name} arrived damaged: its sha256 differs", hint=hint)
