"""Sending a stored file: whole or a range of it, with its entity tag, or leading to where it lies."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import cast

import structlog
from aiohttp import web

from frameloom.common.errors import FrameloomError
from frameloom.gateway.errors import PreconditionFailedError
from frameloom.gateway.http.ranges import Span, as_wanted, unchanged, wanted_span

log = structlog.get_logger(__name__)
_CONDITIONS = ("If-Match", "If-None-Match", "If-Range", "Range")


@dataclass(frozen=True, slots=True)
class FileDownload:
    """A file to be sent.

    Attributes:
        disposition: Its ``Content-Disposition``.
        media_type: Its ``Content-Type``.
        size_bytes: Its length.
        etag: Its entity tag, without the quotes: another one for other bytes.
        read: Streams ``length`` bytes from ``offset`` on.
        ranges: Whether ``read`` gives any range, not only the whole.
        address: Where the client fetches it instead; None: it is sent.
    """

    disposition: str
    media_type: str
    size_bytes: int
    etag: str
    read: Callable[[int, int], AsyncIterator[bytes]]
    ranges: bool = True
    address: str | None = None


async def send_file(request: web.Request, file: FileDownload) -> web.StreamResponse:
    """Answers with the file, as the request's conditions and range say.

    Raises:
        PreconditionFailedError: It is another version than the request insists on.
        RangeNotSatisfiableError: The range lies behind the end.
        FrameloomError: The store does not give the bytes, and nothing was sent yet.
    """
    etag = f'"{file.etag}"'
    # A list may come in several lines.
    asked = {name: ", ".join(request.headers.getall(name)) for name in _CONDITIONS if name in request.headers}
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    if not as_wanted(asked, etag):
        raise PreconditionFailedError("The file is another version now", detail={"etag": etag})
    if unchanged(asked, etag):
        return web.Response(status=304, headers=headers)
    if file.address is not None and request.method == "GET":
        return web.Response(status=307, headers={"Location": file.address, "Cache-Control": "no-store"})
    ranged = file.ranges and request.method == "GET"
    span = wanted_span(asked, file.size_bytes, etag) if ranged else None
    headers |= {
        "Accept-Ranges": "bytes" if file.ranges else "none",
        "Content-Type": file.media_type,
        "Content-Disposition": file.disposition,
        "X-Content-Type-Options": "nosniff",
    }
    if span is not None:
        headers["Content-Range"] = f"bytes {span.offset}-{span.offset + span.length - 1}/{file.size_bytes}"
    sent = span or Span(0, file.size_bytes)
    response = web.StreamResponse(status=200 if span is None else 206, headers=headers)
    response.content_length = sent.length
    if request.method == "HEAD" or sent.length == 0:
        await response.prepare(request)
        return response
    blocks = cast("AsyncGenerator[bytes]", file.read(sent.offset, sent.length))
    async with aclosing(blocks):
        first = await anext(blocks, b"")  # while an error can still be told
        await response.prepare(request)
        await _pass_on(request, response, first, blocks)
    return response


async def _pass_on(
    request: web.Request, response: web.StreamResponse, first: bytes, blocks: AsyncIterator[bytes]
) -> None:
    left = (response.content_length or 0) - len(first)
    try:
        await response.write(first)
        async for block in blocks:
            left -= len(block)
            await response.write(block)
    except ConnectionError:
        return  # the client has gone; nobody is left to be told
    except FrameloomError as error:
        _break_off(request, error.message)
        return
    if left:
        _break_off(request, f"{left} bytes are missing")


def _break_off(request: web.Request, reason: str) -> None:
    """The status is out already: only a broken connection says that the rest is missing."""
    log.warning("download broken off", path=request.path, reason=reason)
    if request.transport is not None:
        request.transport.abort()
