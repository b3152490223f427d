"""A resumable upload by the tus protocol 1.0.0 (https://tus.io/protocols/resumable-upload).

After a break the server is asked how far it has got, and the upload goes on from there. It becomes a job
once, however often its last request has to be sent, so here a submission can be repeated. The protocol's own
Python client is built on other HTTP libraries, which know neither our key nor our errors.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass

import httpx

from frameloom.client.answers import json_object
from frameloom.client.errors import (
    ClientError,
    ConflictError,
    RateLimitedError,
    RefusedError,
    ServerError,
    UnavailableError,
    UnreachableError,
    UsageError,
)
from frameloom.client.models import Job
from frameloom.client.transport import API, Transport, segment
from frameloom.client.uploads.media import Media
from frameloom.client.uploads.order import Submission

_UPLOADS = f"{API}/uploads"
_VERSION = {"Tus-Resumable": "1.0.0"}
_TIMEOUT = httpx.Timeout(60.0, connect=5.0, read=300.0)
"""Writing may stall a minute; after the last byte the server reads the whole file once more."""
_PIECE_BYTES = 1 << 18
_LONGEST_METADATA = 6 * 1024
"""Servers take headers of 8 KiB in all."""
_LOCKED, _GONE = 423, 410
_GIVE_UP_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a broken upload is tried without a byte getting on. All times in seconds."""

    tries: int = 10
    first_delay_seconds: float = 0.5
    longest_delay_seconds: float = 20.0
    examination_seconds: float = 600.0
    """How long the server may examine the file after its last byte."""

    def delay(self, tries: int, asked: float | None) -> float:
        """The pause after so many tries in vain."""
        doubled: float = self.first_delay_seconds * 2 ** min(tries - 1, 16)
        return min(self.longest_delay_seconds, doubled) if asked is None else asked


@dataclass(frozen=True, slots=True)
class _Place:
    """How far an upload is, and what it has become."""

    offset: int
    job_id: str | None = None


async def send_tus(
    transport: Transport, media: Media, order: Submission, *, patience: Patience | None = None
) -> Job:
    """Sends the file in as many requests as it takes.

    Raises:
        UsageError: The file's length is not known, or it can not be read again: a pipe.
        RefusedError: The server does not take it.
        UnreachableError: It got no further for too long.
    """
    if media.size is None:
        raise UsageError("A pipe can not be taken up after a break", hint="Send it as a form")
    upload = _Upload(transport, media, media.size, patience or Patience())
    await upload.begin(order)
    try:
        job_id = await upload.finished()
    except BaseException:
        await upload.give_up()
        raise
    return await transport.get(Job, f"{API}/jobs/{segment(job_id)}")


def fits_headers(media: Media, order: Submission) -> bool:
    """Whether what is asked for can be told in a header."""
    return len(_metadata(media, order)) <= _LONGEST_METADATA


def _metadata(media: Media, order: Submission) -> str:
    facts = {"filename": media.filename, **order.fields()}
    return ",".join(f"{name} {base64.b64encode(text.encode()).decode()}" for name, text in facts.items())


class _Upload:
    def __init__(self, transport: Transport, media: Media, size: int, patience: Patience) -> None:
        self._transport = transport
        self._media = media
        self._size = size
        self._patience = patience
        self._path = ""

    async def begin(self, order: Submission) -> None:
        facts = {"Upload-Length": str(self._size), "Upload-Metadata": _metadata(self._media, order)}
        # If the answer is lost, what was begun expires by itself; but it may count against a quota till then.
        response = await self._transport.send("POST", _UPLOADS, once=True, headers=_VERSION | facts)
        location = response.headers.get("Location", "")
        name = location.rstrip("/").rpartition("/")[2]
        if not name:
            raise ServerError("The server began an upload, but did not say which")
        self._path = f"{_UPLOADS}/{segment(name)}"

    async def finished(self) -> str:
        """Sends until the upload is a job; its id."""
        place, in_vain = _Place(0), 0
        while place.job_id is None:
            asked: float | None = None
            before = place.offset
            try:
                place = await self._patched(place) if place.offset < self._size else await self._examined()
            except (UnreachableError, ServerError, RateLimitedError, ConflictError, RefusedError) as error:
                if not _passes(error):
                    raise await self._explained(error) from error
                in_vain += 1
                if in_vain >= self._patience.tries:
                    raise
                asked = getattr(error, "retry_after_seconds", None)
                await asyncio.sleep(self._patience.delay(in_vain, asked))
                place = await self._asked(place)
            if place.offset > before:
                in_vain = 0
        return place.job_id

    async def _patched(self, place: _Place) -> _Place:
        """Sends what is missing."""
        self._media.seek(place.offset)
        facts = {
            "Upload-Offset": str(place.offset),
            "Content-Type": "application/offset+octet-stream",
            "Content-Length": str(self._size - place.offset),
        }
        response = await self._transport.send(
            "PATCH",
            self._path,
            once=True,
            repeatable=False,
            headers=_VERSION | facts,
            content=self._pieces(),
            timeout=_TIMEOUT,
        )
        return _place(response, place)

    async def _pieces(self) -> AsyncGenerator[bytes]:
        while piece := self._media.read(_PIECE_BYTES):
            yield piece

    async def _asked(self, place: _Place) -> _Place:
        """Where the server is; where it was, if it does not answer."""
        try:
            return _place(await self._transport.send("HEAD", self._path, headers=_VERSION), place)
        except ClientError as error:
            if not _passes(error):
                raise await self._explained(error) from error
            return place

    async def _examined(self) -> _Place:
        """Waits until the file, which is there, is a job."""
        place = _Place(self._size)
        limit = self._patience.examination_seconds
        try:
            async with asyncio.timeout(limit):
                while place.job_id is None and place.offset >= self._size:
                    await asyncio.sleep(self._patience.first_delay_seconds)
                    place = await self._asked(place)
        except TimeoutError as error:
            raise UnreachableError(f"The server has not examined the file within {limit:g} s") from error
        return place

    async def _explained(self, error: ClientError) -> ClientError:
        """Why the upload has gone: its own page still tells what a HEAD can not."""
        if error.status != _GONE:
            return error
        with suppress(ClientError):
            document = json_object(await self._transport.send("GET", self._path))
            told = document.get("error")
            if isinstance(told, dict) and told.get("message"):
                return RefusedError(str(told["message"]), code=told.get("code"), hint=told.get("hint"))
        return error

    async def give_up(self) -> None:
        """Removes what has come, as far as the server answers in a short time."""
        with suppress(ClientError, TimeoutError):
            async with asyncio.timeout(_GIVE_UP_SECONDS):
                await self._transport.send("DELETE", self._path, headers=_VERSION)


def _passes(error: ClientError) -> bool:
    """Whether it may be better in a while: the line, the server, somebody else's request for the upload."""
    if isinstance(error, UnreachableError | UnavailableError | ServerError | RateLimitedError):
        return True
    return error.status == _LOCKED or (isinstance(error, ConflictError) and error.code == "OFFSET_MISMATCH")


def _place(response: httpx.Response, before: _Place) -> _Place:
    offset = response.headers.get("Upload-Offset", "")
    known = int(offset) if offset.isascii() and offset.isdecimal() else before.offset
    return _Place(known, response.headers.get("X-Job-Id"))
