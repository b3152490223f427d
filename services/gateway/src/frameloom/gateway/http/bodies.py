"""The body of a request as a stream of bytes, from a client that must not be too slow."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import web
from aiohttp.hdrs import CONTENT_ENCODING
from aiohttp.http_exceptions import HttpProcessingError

from frameloom.gateway.errors import InvalidRequestError, UploadAbortedError
from frameloom.gateway.http.pacing import Pace, Stopwatch

_CHUNK_BYTES = 256 * 1024


class BodyStream:
    """The body of a request, which nobody has read yet."""

    def __init__(self, request: web.Request) -> None:
        self._request = request

    @property
    def media_type(self) -> str | None:
        """What the client says that it is; None: it says nothing."""
        return self._request.content_type if "Content-Type" in self._request.headers else None

    @property
    def encoded(self) -> bool:
        """Whether it is compressed."""
        return self._request.headers.get(CONTENT_ENCODING, "identity").strip().lower() != "identity"

    @property
    def length_bytes(self) -> int | None:
        """How long it will be, if the client says that beforehand."""
        return self._request.content_length

    @property
    def present(self) -> bool:
        """Whether there may be one."""
        return self._request.body_exists

    async def chunks(self, pace: Pace) -> AsyncIterator[bytes]:
        """Its bytes as they come.

        Raises:
            UploadTimeoutError: Nothing came for long, or too little.
            UploadAbortedError: The client went away.
            InvalidRequestError: It is not framed as HTTP wants it.
        """
        stopwatch = Stopwatch(pace)
        while True:
            try:
                async with stopwatch.waiting():
                    chunk = await self._request.content.read(_CHUNK_BYTES)
            except ConnectionError as error:
                raise UploadAbortedError("The client went away during the upload") from error
            except HttpProcessingError as error:
                raise InvalidRequestError(
                    "The body can not be read", hint="Is its Content-Length or chunking right?"
                ) from error
            if not chunk:
                return
            stopwatch.count(len(chunk))
            yield chunk
