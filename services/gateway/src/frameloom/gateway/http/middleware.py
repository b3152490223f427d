"""The one place where exceptions become responses."""

from __future__ import annotations

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler
from aiohttp.web_exceptions import HTTPException, HTTPMethodNotAllowed, HTTPNotFound

from frameloom.common.errors import FrameloomError, TransientError
from frameloom.gateway.http.answers import envelope, error_response, json_response

log = structlog.get_logger(__name__)


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answers every exception: typed ones by themselves, unknown routes plainly, the rest without insides."""
    try:
        return await handler(request)
    except FrameloomError as error:
        if isinstance(error, TransientError) or error.status >= 500:
            log.warning(
                "not answered", method=request.method, path=request.path, code=error.code, reason=str(error)
            )
        response = error_response(error)
    except HTTPNotFound:
        return await _elsewhere(request) or json_response({"detail": "Not Found"}, 404)
    except HTTPMethodNotAllowed as error:
        allowed = ", ".join(sorted(error.allowed_methods))
        return json_response({"detail": "Method Not Allowed"}, 405, {"Allow": allowed})
    except HTTPException as error:
        response = envelope(error.status, "HTTP_ERROR", error.reason or "The request can not be answered")
    except Exception as error:
        log.exception("unexpected", method=request.method, path=request.path, error=type(error).__name__)
        response = envelope(
            500,
            "INTERNAL_SERVER_ERROR",
            "Something went wrong on the server",
            hint="Its log tells more; try again, or report it.",
        )
    if not request.content.is_eof():
        # The rest of a refused body is read and thrown away for a while, then the connection ends.
        response.force_close()
    return response


async def _elsewhere(request: web.Request) -> web.Response | None:
    """A path with a slash too many leads to the one without it, if that exists."""
    path = request.rel_url.raw_path
    if not path.endswith("/") or path == "/":
        return None
    target = request.rel_url.with_path(path.rstrip("/"), encoded=True, keep_query=True)
    match = await request.app.router.resolve(request.clone(rel_url=target))
    if isinstance(match.http_exception, HTTPNotFound):
        return None
    return web.Response(status=307, headers={"Location": str(target)})
