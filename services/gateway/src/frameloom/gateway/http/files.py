"""Sending a stored file: whole or a range of it, with its entity tag."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import structlog
from aiohttp import web

from frameloom.common.errors import FrameloomError
from frameloom.gateway.http.ranges import Span, attachment, unchanged, wanted_span

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class FileDownload:
    """A file to be sent.

    Attributes:
        filename: What it is to be called at the client.
        media_type: Its ``Content-Type``.
        size_bytes: Its length.
        sha256: Its entity tag.
        read: Streams ``length`` bytes from ``offset`` on.
    """

    filename: str
    media_type: str
    size_bytes: int
    sha256: str
    read: Callable[[int, int], AsyncIterator[bytes]]


async def send_file(request: web.Request, file: FileDownload) -> web.StreamResponse:
    """Answers with the file, as the request's conditions and range say.

    Raises:
        RangeNotSatisfiableError: The range lies behind the end.
        FrameloomError: The store does not give the bytes, and nothing was sent yet.
    """
    etag = f'"{file.sha256}"'
    headers = {"ETag": etag, "Accept-Ranges": "bytes", "Cache-Control": "private, no-cache"}
    if unchanged(request.headers, etag):
        return web.Response(status=304, headers=headers)
    span = wanted_span(request.headers, file.size_bytes, etag) if request.method == "GET" else None
    headers |= {
        "Content-Type": file.media_type,
        "Content-Disposition": attachment(file.filename),
        "X-Content-Type-Options": "nosniff",
    }
    if span is not None:
        headers["Content-Range"] = f"bytes {span.offset}-{span.offset + span.length - 1}/{file.size_bytes}"
    whole = Span(0, file.size_bytes)
    sent = span or whole
    response = web.StreamResponse(status=200 if span is None else 206, headers=headers)
    response.content_length = sent.length
    if request.method == "HEAD" or sent.length == 0:
        await response.prepare(request)
        return response
    blocks = file.read(sent.offset, sent.length)
    first = await anext(blocks, b"")  # while an error can still be told
    await response.prepare(request)
    await _pass_on(request, response, first, blocks)
    return response


async def _pass_on(
    request: web.Request, response: web.StreamResponse, first: bytes, blocks: AsyncIterator[bytes]
) -> None:
    try:
        await response.write(first)
        async for block in blocks:
            await response.write(block)
    except ConnectionError:
        return  # the client has gone; nobody is left to be told
    except FrameloomError as error:
        # The status is out already: only a broken connection says that the rest is missing.
        log.warning("download broken off", path=request.path, reason=error.message)
        if request.transport is not None:
            request.transport.abort()
