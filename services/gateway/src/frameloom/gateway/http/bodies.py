"""The body of a request as a stream of bytes, with a limit on the client's silence."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web
from aiohttp.hdrs import CONTENT_ENCODING
from aiohttp.http_exceptions import HttpProcessingError

from frameloom.gateway.errors import InvalidRequestError, UploadAbortedError, UploadTimeoutError

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

    async def chunks(self, idle_timeout_seconds: float) -> AsyncIterator[bytes]:
        """Its bytes as they come.

        Raises:
            UploadTimeoutError: Nothing came for so long.
            UploadAbortedError: The client went away.
            InvalidRequestError: It is not framed as HTTP wants it.
        """
        while True:
            try:
                async with asyncio.timeout(idle_timeout_seconds):
                    chunk = await self._request.content.read(_CHUNK_BYTES)
            except TimeoutError:
                raise UploadTimeoutError(
                    f"Nothing was received for {idle_timeout_seconds:g} s",
                    hint="Check the connection and go on from the offset that HEAD tells.",
                ) from None
            except ConnectionError as error:
                raise UploadAbortedError("The client went away during the upload") from error
            except HttpProcessingError as error:
                raise InvalidRequestError(
                    "The body can not be read", hint="Is its Content-Length or chunking right?"
                ) from error
            if not chunk:
                return
            yield chunk
