"""Tells the recorder of every request and how it was answered."""

from __future__ import annotations

import time
from datetime import datetime

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from frameloom.common.clock import Clock
from frameloom.gateway.http.audit import OPERATION, REQUEST_ID
from frameloom.gateway.http.guard import DECISION
from frameloom.gateway.services.recorder import Answered, Recorder

_CLIENT_LEFT = 499
_ODD_METHOD = "other"
_BEGAN = web.RequestKey("answer_began", float)


class Recording:
    """To be put outside all other middleware."""

    def __init__(self, recorder: Recorder, clock: Clock) -> None:
        self._recorder = recorder
        self._clock = clock

    def install(self, app: web.Application) -> None:
        """Records every request of the application."""
        app.middlewares.append(self._middleware())
        app.on_response_prepare.append(_mark)

    def _middleware(self) -> Middleware:
        @web.middleware
        async def recorded(request: web.Request, handler: Handler) -> web.StreamResponse:
            at, came, status = self._clock.now(), time.monotonic(), _CLIENT_LEFT
            self._recorder.began()
            try:
                response = await handler(request)
                status = response.status
            finally:
                seconds = request.get(_BEGAN, time.monotonic()) - came
                self._recorder.ended(_answered(request, at=at, status=status, seconds=seconds))
            return response

        return recorded


def _answered(request: web.Request, *, at: datetime, status: int, seconds: float) -> Answered:
    operation, decision = request.get(OPERATION), request.get(DECISION)
    resource = request.match_info.route.resource
    return Answered(
        at=at,
        request_id=request.get(REQUEST_ID),
        method=request.method if request.method in hdrs.METH_ALL else _ODD_METHOD,
        operation=operation.id if operation else None,
        path=resource.canonical if resource is not None else None,
        status=status,
        seconds=seconds,
        body_bytes=request.content.total_bytes,
        tenant=decision.caller.tenant if decision else "",
        key_id=decision.caller.key_id if decision else None,
    )


async def _mark(request: web.Request, _: web.StreamResponse) -> None:
    """The answer begins, also that of a stream which lasts."""
    request.setdefault(_BEGAN, time.monotonic())
