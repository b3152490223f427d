"""The aiohttp application made of operations."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from aiohttp import hdrs, web

from frameloom.common.errors import FrameloomError
from frameloom.gateway.http import audit as auditing
from frameloom.gateway.http import guard, tus
from frameloom.gateway.http.answers import PlainText, error_response, json_response
from frameloom.gateway.http.audit import OPERATION, SUBJECT, Audit
from frameloom.gateway.http.cors import Cors
from frameloom.gateway.http.draining import IN_FLIGHT, InFlight
from frameloom.gateway.http.files import FileDownload, send_file
from frameloom.gateway.http.forms import FormReader
from frameloom.gateway.http.middleware import errors
from frameloom.gateway.http.recording import Recording
from frameloom.gateway.http.socket import EventSocket, check_origin, is_upgrade, refuse, serve
from frameloom.gateway.http.sse import EventStream, send_events
from frameloom.gateway.http.trickle import Trickle, send_pieces
from frameloom.gateway.http.typed import Answer, Binder, Identify, Operation, returned_by


def build(
    operations: Sequence[Operation],
    *,
    identify: Identify,
    audit: Audit,
    recording: Recording,
    forms: FormReader,
    cors: Cors,
) -> web.Application:
    """An application that answers these operations, and nothing else.

    Args:
        operations: What it answers.
        identify: Tells the caller of a request.
        audit: Names requests and writes down what they do.
        recording: Counts requests.
        forms: Reads multipart forms.
        cors: Which origins may call.
    """
    app = web.Application()
    recording.install(app)
    app[IN_FLIGHT] = InFlight()
    app.middlewares.append(app[IN_FLIGHT].middleware())
    cors.install(app)
    app.middlewares.append(audit.middleware())
    app.middlewares.append(errors)
    app.on_response_prepare.append(_sign)
    for operation in operations:
        _add(app, operation, Binder(operation, identify), forms)
    return app


def _add(app: web.Application, operation: Operation, binder: Binder, forms: FormReader) -> None:
    if returned_by(operation.handler) is EventSocket:
        app.router.add_route(operation.method, operation.path, partial(_serve_socket, operation, binder))
        return
    expect = partial(_continue, forms, binder) if binder.form else None
    paths = {operation.path: operation.status}
    if operation.slashless_status is not None:
        paths[operation.path.rstrip("/")] = operation.slashless_status
    for path, status in paths.items():
        app.router.add_route(
            operation.method, path, partial(_serve, operation, binder, forms, status), expect_handler=expect
        )


async def _serve(
    operation: Operation, binder: Binder, forms: FormReader, status: int, request: web.Request
) -> web.StreamResponse:
    request[OPERATION] = operation
    arguments = await binder.read(request)
    if binder.form is None:
        result = await operation.handler(**arguments)
    else:
        async with forms.parts(request) as parts:
            result = await operation.handler(**arguments, **{binder.form: parts})
    told = result.headers.get(tus.JOB_ID) if isinstance(result, Answer) else getattr(result, "id", None)
    if isinstance(told, str):
        request[SUBJECT] = told
    return await _answer(request, result, status)


async def _serve_socket(operation: Operation, binder: Binder, request: web.Request) -> web.StreamResponse:
    request[OPERATION] = operation
    check_origin(request)
    try:
        socket = await operation.handler(**await binder.read(request))
    except FrameloomError as error:
        if not is_upgrade(request):
            raise
        return await refuse(request, error)
    return await serve(request, socket)


async def _answer(request: web.Request, result: Any, status: int) -> web.StreamResponse:
    response: web.StreamResponse
    match result:
        case Answer():
            response = _decided(result)
        case FileDownload():
            response = await send_file(request, result)
        case EventStream():
            response = await send_events(request, result)
        case Trickle():
            response = await send_pieces(request, result)
        case PlainText():
            kind = {hdrs.CONTENT_TYPE: result.content_type}
            response = web.Response(body=result.body, status=status, headers=kind)
        case None:
            response = web.Response(status=204)
        case _:
            response = json_response(result, status)
    return response


def _decided(answer: Answer[Any]) -> web.Response:
    if answer.body is None:
        return web.Response(status=answer.status, headers=answer.headers)
    return json_response(answer.body, answer.status, answer.headers)


async def _sign(request: web.Request, response: web.StreamResponse) -> None:
    auditing.named(request, response)
    guard.told(request, response)
    tus.told(request, response)
    response.headers["Server"] = "frameloom"  # the versions of what is below are nobody's business


async def _continue(forms: FormReader, binder: Binder, request: web.Request) -> web.StreamResponse | None:
    """Tells a client that asks beforehand not to send a body that would be refused."""
    if request.headers.get(hdrs.EXPECT, "").lower() == "100-continue":
        if not await binder.lets_in(request):
            return None  # the usual way then answers why
        if (refusal := forms.refusal(request)) is not None:
            response = error_response(refusal)
            response.force_close()
            return response
        if request.transport is not None:
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    return None
