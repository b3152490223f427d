"""The live feed over a WebSocket: the same frames as JSON text, and subscriptions that come and go.

One connection carries several subscriptions. Each is a task that sends what its stream has; what the client
says is read by another. Whatever ends first ends the connection, with a close code that tells why.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AbstractContextManager, aclosing
from dataclasses import dataclass
from typing import Any

import structlog
from aiohttp import WSMsgType, web
from pydantic import ValidationError

from frameloom.common.background import cancelled
from frameloom.common.errors import FrameloomError, TransientError
from frameloom.gateway.errors import (
    MessageInvalidError,
    OriginRefusedError,
    SubscriptionError,
    UpgradeRequiredError,
)
from frameloom.gateway.http.audit import OUTCOME
from frameloom.gateway.http.cors import CORS
from frameloom.gateway.schemas.sockets import CLIENT_MESSAGE, ClientMessage, Subscribe, Unsubscribe
from frameloom.gateway.services.entries import HEARTBEAT
from frameloom.gateway.services.frames import Format, Frame
from frameloom.gateway.services.presence import End, Presence
from frameloom.gateway.services.streams import Stream
from frameloom.gateway.services.wanted import Position, Wanted

_MOST_SUBSCRIPTIONS = 50
_MOST_MESSAGE_BYTES = 4096
_GOODBYE_SECONDS = 2.0
_DONE, _GOING_AWAY, _FAULT, _BUSY, _UNAUTHORIZED = 1000, 1001, 1011, 1013, 4401
_FIRST_OF_OURS = 4000
_CLIENT_ERRORS = range(400, 500)
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class EventSocket:
    """A connection that may hear several feeds.

    Attributes:
        attended: Entered for the life of the connection.
        opened: Opens a feed within it.
        connected: What is sent first.
        first: The feed to begin with, if any.
        form: In whose words all of them are.
        write_timeout_seconds: How long a client may leave its socket full, or not answer a ping.
        heartbeat_seconds: How long it may be silent here.
    """

    attended: AbstractContextManager[Presence]
    opened: Callable[[Wanted, Presence], AbstractAsyncContextManager[Stream]]
    connected: Frame
    first: Wanted | None
    form: Format
    write_timeout_seconds: float
    heartbeat_seconds: float


@dataclass(frozen=True, slots=True)
class Close:
    """How a connection ends."""

    code: int
    reason: str

    @classmethod
    def of(cls, error: FrameloomError) -> Close:
        """What an error is over a WebSocket: 4000 and its status; 1013 where trying again may help."""
        if isinstance(error, TransientError):
            return cls(_BUSY, error.message)
        code = _FIRST_OF_OURS + error.status if error.status in _CLIENT_ERRORS else _FAULT
        return cls(code, error.message)


_ENDS = {
    End.SHUTDOWN: Close(_GOING_AWAY, "This gateway shuts down"),
    End.REVOKED: Close(_UNAUTHORIZED, "The key has ended"),
}


def is_upgrade(request: web.Request) -> bool:
    """Whether a request asks for a WebSocket."""
    return web.WebSocketResponse().can_prepare(request).ok


def check_origin(request: web.Request) -> None:
    """Keeps out pages of other origins: a browser lets any page open a WebSocket.

    Raises:
        OriginRefusedError: It comes from such a page.
    """
    if not request.app[CORS].admits(request):
        raise OriginRefusedError(request.headers.get("Origin", ""))


async def refuse(request: web.Request, error: FrameloomError) -> web.WebSocketResponse:
    """Opens the WebSocket only to say why not: a script sees no status, but it sees a close code."""
    request[OUTCOME] = error.status
    socket = web.WebSocketResponse(compress=False)
    await socket.prepare(request)
    await socket.send_frame(_error(error).message, WSMsgType.TEXT)
    await _close(socket, Close.of(error))
    return socket


async def serve(request: web.Request, socket: EventSocket) -> web.WebSocketResponse:
    """Answers with the WebSocket until it ends.

    Raises:
        UpgradeRequiredError: The request asks for none.
    """
    if not is_upgrade(request):
        raise UpgradeRequiredError
    try:
        with socket.attended as presence:
            wire = web.WebSocketResponse(
                compress=False,  # a window of zlib for each client would cost more than all else
                heartbeat=socket.write_timeout_seconds * 2 / 3,  # and half of that for the answer
                max_msg_size=_MOST_MESSAGE_BYTES,
            )
            await wire.prepare(request)
            await _Session(socket, wire, presence).run()
            return wire
    except FrameloomError as error:
        return await refuse(request, error)


class _Session:
    """One connection."""

    def __init__(self, socket: EventSocket, wire: web.WebSocketResponse, presence: Presence) -> None:
        self._socket = socket
        self._wire = wire
        self._presence = presence
        self._loop = asyncio.get_running_loop()
        self._end: asyncio.Future[Close | None] = self._loop.create_future()
        self._tasks: set[asyncio.Task[None]] = set()
        self._feeds: dict[str | None, asyncio.Task[None]] = {}
        self._spoke_at = 0.0

    async def run(self) -> None:
        """Serves until the client goes, or the gateway wants it to."""
        try:
            await self._send(self._socket.connected)
            if self._socket.first is not None:
                self._subscribe(self._socket.first, essential=True)
            self._spawn(self._listen())
            self._spawn(self._attend())
            close = await self._end
        finally:
            await cancelled(*self._tasks)
        if close is not None:
            await _close(self._wire, close)

    def _finish(self, close: Close | None) -> None:
        if not self._end.done():
            self._end.set_result(close)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        if isinstance(error, ConnectionError):
            self._finish(None)
            return
        log.error("a WebSocket failed", error=type(error).__name__, exc_info=error)
        self._finish(Close(_FAULT, "Something went wrong on the server"))

    async def _attend(self) -> None:
        self._finish(_ENDS[await self._presence.ended()])

    async def _listen(self) -> None:
        """Does what the client asks, one thing after the other."""
        async for message in self._wire:
            try:
                self._do(_understood(message))
            except FrameloomError as error:
                await self._send(_error(error))
        self._finish(None)

    def _do(self, asked: ClientMessage) -> None:
        if isinstance(asked, Subscribe):
            position = Position.parse(asked.after)
            if asked.after is not None and position is None:
                raise MessageInvalidError("`after` is not the id of an event")
            wanted = Wanted(asked.job_id, position, asked.close_on_end, self._socket.form)
            self._subscribe(wanted, essential=False)
        elif isinstance(asked, Unsubscribe):
            if (feed := self._feeds.pop(asked.job_id, None)) is None:
                raise SubscriptionError.none(asked.job_id)
            feed.cancel()
            self._spawn(self._send(_told("unsubscribed", asked.job_id)))
        else:
            self._spawn(self._send(Frame("pong", {"type": "pong"})))

    def _subscribe(self, wanted: Wanted, *, essential: bool) -> None:
        if wanted.job_id in self._feeds:
            raise SubscriptionError.twice(wanted.job_id)
        if len(self._feeds) >= _MOST_SUBSCRIPTIONS:
            raise SubscriptionError.many(_MOST_SUBSCRIPTIONS)
        self._feeds[wanted.job_id] = self._spawn(self._feed(wanted, essential=essential))

    async def _feed(self, wanted: Wanted, *, essential: bool) -> None:
        """One subscription, from its opening to its end. The connection ends with an essential one."""
        begun = over = False
        try:
            async with self._socket.opened(wanted, self._presence) as stream:
                begun = True
                await self._send(_told("subscribed", wanted.job_id))
                await self._pump(stream)
                if stream.end is not None:
                    return  # the connection ends too
                over = True
        except FrameloomError as error:
            await self._send(_error(error, wanted.job_id))
            if essential and not begun:
                self._finish(Close.of(error))
        finally:
            if self._feeds.get(wanted.job_id) is asyncio.current_task():
                del self._feeds[wanted.job_id]
        if begun:
            await self._send(_told("unsubscribed", wanted.job_id))
        if essential and over:
            self._finish(Close(_DONE, "The job is over"))

    async def _pump(self, stream: Stream) -> None:
        async with aclosing(stream.batches()) as batches:
            async for batch in batches:
                for frame in batch:
                    if frame.event == HEARTBEAT and not self._silent:
                        continue
                    if frame.event != self._socket.connected.event:
                        await self._send(frame)
                del batch

    @property
    def _silent(self) -> bool:
        return self._loop.time() - self._spoke_at >= self._socket.heartbeat_seconds * 0.9

    async def _send(self, frame: Frame) -> None:
        self._spoke_at = self._loop.time()
        try:
            async with asyncio.timeout(self._socket.write_timeout_seconds):
                await self._wire.send_frame(frame.message, WSMsgType.TEXT)
        except TimeoutError as error:
            raise ConnectionError("the client does not read") from error


def _understood(message: Any) -> ClientMessage:
    if message.type is not WSMsgType.TEXT:
        raise MessageInvalidError("it is not text")
    try:
        return CLIENT_MESSAGE.validate_json(message.data)
    except ValidationError as error:
        problems = [{"loc": list(e["loc"]), "msg": e["msg"]} for e in error.errors(include_url=False)[:5]]
        raise MessageInvalidError(str(problems[0]["msg"]), problems) from error


def _told(event: str, job_id: str | None) -> Frame:
    return Frame(event, {"type": event, "job_id": job_id})


def _error(error: FrameloomError, job_id: str | None = None) -> Frame:
    body = {"type": "error", "code": error.code, "message": error.message}
    facts = {"hint": error.hint, "detail": error.detail, "job_id": job_id}
    return Frame("error", body | {name: fact for name, fact in facts.items() if fact is not None})


async def _close(wire: web.WebSocketResponse, close: Close) -> None:
    """Says good-bye; a client that does not listen is left."""
    try:
        async with asyncio.timeout(_GOODBYE_SECONDS):
            await wire.close(code=close.code, message=close.reason.encode()[:120])
    except (TimeoutError, ConnectionError):
        log.debug("WebSocket left", code=close.code)
