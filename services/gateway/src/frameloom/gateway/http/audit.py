"""Who did what: a name for each request, and a line for each that changes something or is refused."""

from __future__ import annotations

import asyncio
import re

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from frameloom.common.clock import new_id
from frameloom.gateway.http.guard import DECISION
from frameloom.gateway.http.peers import peer_of
from frameloom.gateway.http.typed import Operation
from frameloom.gateway.services.access import Access

_log = structlog.get_logger("audit")
_HEADER = "X-Request-ID"
_SANE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_REFUSED = frozenset({401, 403, 429})
_GONE = 499
"""The status in the line of a request whose client went away before there was an answer."""
_SUBJECTS = {"job_id": "job_id", "key_id": "about_key", "upload_id": "upload_id"}
"""What a line calls the ids of the path; ``key_id`` is who asks."""

REQUEST_ID = web.RequestKey("request_id", str)
OPERATION = web.RequestKey("operation", Operation)
SUBJECT = web.RequestKey("subject", str)
"""The id of what an operation has made."""
OUTCOME = web.RequestKey("outcome", int)
"""The status of an answer whose own does not tell it: a WebSocket that is opened only to refuse it."""


class Audit:
    """Names requests and writes audit lines."""

    def __init__(self, access: Access) -> None:
        self._trusted = access.trusted_proxies

    def middleware(self) -> Middleware:
        """To be put outside what turns errors into answers."""

        @web.middleware
        async def audited(request: web.Request, handler: Handler) -> web.StreamResponse:
            request[REQUEST_ID] = name = _request_id(request)
            with structlog.contextvars.bound_contextvars(request_id=name):
                try:
                    response = await handler(request)
                except asyncio.CancelledError:
                    self._note(request, _GONE)
                    raise
                self._note(request, request.get(OUTCOME, response.status))
                return response

        return audited

    def _note(self, request: web.Request, status: int) -> None:
        operation = request.get(OPERATION)
        if operation is None or operation.scope is None:
            return
        if status in _REFUSED:
            _log.warning("refused", **self._facts(request, operation, status))
        elif request.method not in _READING:
            _log.info("changed" if status < 400 else "not changed", **self._facts(request, operation, status))

    def _facts(self, request: web.Request, operation: Operation, status: int) -> dict[str, object]:
        decision = request.get(DECISION)
        caller = decision.caller if decision is not None else None
        found = request.match_info
        subjects = {told: _harmless(found[name]) for name, told in _SUBJECTS.items() if name in found}
        if (made := request.get(SUBJECT)) is not None and made not in subjects.values():
            subjects["made"] = made
        return {
            "operation": operation.id,
            **subjects,
            "outcome": status,
            "key_id": caller.key_id if caller else None,
            "tenant": (caller.tenant or None) if caller else None,
            "peer": peer_of(request, self._trusted),
        }


def _harmless(text: str) -> str:
    """An id as a client wrote it, whatever that is: cut, and without what drives a terminal."""
    return text if _SANE.fullmatch(text) else ascii(text[:64])


def named(request: web.Request, response: web.StreamResponse) -> None:
    """Tells the client the name of its request."""
    if (name := request.get(REQUEST_ID)) is not None:
        response.headers[_HEADER] = name


def _request_id(request: web.Request) -> str:
    """The client's own name for it, if that is harmless in a log; else a new one."""
    given = request.headers.get(_HEADER, "")
    return given if _SANE.fullmatch(given) else new_id()
