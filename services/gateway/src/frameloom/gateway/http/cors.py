"""Cross-origin requests: an allow-list, answered as VideoAnnotator does."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

_METHODS = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
_EXPOSED = (
    "Accept-Ranges, Content-Disposition, Content-Length, Content-Range, ETag, Location, Retry-After, "
    "WWW-Authenticate, X-Request-ID, X-Job-Id, "
    "Tus-Resumable, Tus-Version, Tus-Extension, Tus-Max-Size, Tus-Checksum-Algorithm, "
    "Upload-Offset, Upload-Length, Upload-Metadata, Upload-Expires, "
    "RateLimit, RateLimit-Policy, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset"
)
_MAX_AGE_SECONDS = 600


class Cors:
    """Which origins a browser may call from."""

    def __init__(self, origins: Sequence[str]) -> None:
        self._any = "*" in origins
        self._origins = frozenset(origins)

    def install(self, app: web.Application) -> None:
        """Answers preflights, and marks every response, streams included."""
        app[CORS] = self
        app.middlewares.append(self._preflights())
        app.on_response_prepare.append(self._mark)

    def admits(self, request: web.Request) -> bool:
        """Whether a request may do what a browser lets any page do: open a WebSocket.

        It must come from no page, from one of this server, or from an allowed origin.
        """
        origin = request.headers.get("Origin")
        return origin is None or self._allows(origin) or origin.partition("://")[2] == request.host

    def _allows(self, origin: str) -> bool:
        return origin in self._origins or (self._any and origin.startswith(("http://", "https://")))

    def _preflights(self) -> Middleware:
        @web.middleware
        async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
            origin = request.headers.get("Origin")
            wanted = "Access-Control-Request-Method"
            if request.method != "OPTIONS" or origin is None or wanted not in request.headers:
                return await handler(request)
            if not self._allows(origin):
                return web.Response(status=400, text="Disallowed CORS origin")
            asked = request.headers.get("Access-Control-Request-Headers", "")
            return web.Response(
                text="OK",
                headers={
                    "Access-Control-Allow-Methods": _METHODS,
                    "Access-Control-Max-Age": str(_MAX_AGE_SECONDS),
                    **({"Access-Control-Allow-Headers": asked} if asked else {}),
                },
            )

        return answer

    async def _mark(self, request: web.Request, response: web.StreamResponse) -> None:
        origin = request.headers.get("Origin")
        if origin is None or not self._allows(origin):
            return
        response.headers["Access-Control-Allow-Origin"] = origin
        if origin in self._origins:  # never for whoever comes under the asterisk
            response.headers["Access-Control-Allow-Credentials"] = "true"
        response.headers["Access-Control-Expose-Headers"] = _EXPOSED
        response.headers.add("Vary", "Origin")


CORS = web.AppKey("cors", Cors)
