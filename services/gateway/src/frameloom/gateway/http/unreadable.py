"""Requests that the HTTP parser refuses before the application sees them: in the envelope, like all errors.

aiohttp answers them itself, in plain text and with its version. It has no hook for that in an application, so
its runner is made with a server whose connections answer in our words.
"""

from __future__ import annotations

from aiohttp import hdrs, web
from aiohttp.http_exceptions import BadHttpMethod, LineTooLong

from frameloom.gateway.http.answers import envelope

_UNREADABLE = "The request is no HTTP that this server reads"


class Runner(web.AppRunner):
    """Runs an application; what is no HTTP is answered in the envelope."""

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return _Server(made.request_handler, request_factory=made.request_factory, **self._kwargs)


class _Server(web.Server):
    def __call__(self) -> web.RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


class _Connection(web.RequestHandler):
    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """As aiohttp, which writes it down and ends the connection, with a body of ours."""
        theirs = super().handle_error(request, status, exc, message)
        if status >= 500:
            return theirs
        response = _answered(status, exc)
        response.headers[hdrs.SERVER] = "frameloom"
        response.force_close()
        return response


def _answered(status: int, exc: BaseException | None) -> web.Response:
    if isinstance(exc, BadHttpMethod):
        return envelope(
            501,
            "NOT_IMPLEMENTED",
            "This method is unknown in HTTP",
            hint="Methods are upper case: GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS.",
        )
    if isinstance(exc, LineTooLong):
        limit = exc.args[1] if len(exc.args) > 1 else "the allowed"
        told = f"The address or a header is longer than {limit} bytes"
        return envelope(status, "HTTP_ERROR", told, hint="Send long values in the body.")
    return envelope(status, "HTTP_ERROR", _UNREADABLE, hint="Check the client, and the proxies before it.")
