"""The live events of jobs."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from frameloom.gateway.http.socket import EventSocket
from frameloom.gateway.http.sse import EventStream
from frameloom.gateway.http.typed import FromBody, FromHeaders, FromQuery
from frameloom.gateway.schemas.events import (
    EventsHeaders,
    EventsQuery,
    EventsTokenRequest,
    EventsTokenResponse,
)
from frameloom.gateway.schemas.sockets import SocketQuery
from frameloom.gateway.services.caller import Caller
from frameloom.gateway.services.frames import Format, connected
from frameloom.gateway.services.passes import PassService
from frameloom.gateway.services.streams import StreamService
from frameloom.gateway.services.wanted import Position, Wanted


class EventHandlers:
    """Streams of events."""

    def __init__(
        self,
        streams: StreamService,
        passes: PassService,
        *,
        write_timeout_seconds: float,
        heartbeat_seconds: float,
    ) -> None:
        self._streams = streams
        self._passes = passes
        self._write_timeout_seconds = write_timeout_seconds
        self._heartbeat_seconds = heartbeat_seconds

    async def token(self, caller: Caller, body: FromBody[EventsTokenRequest | None]) -> EventsTokenResponse:
        """Make a short-lived token for `?token=`, where a header can not be sent.

        It opens event streams and, if the key may read results, the jobs' videos; nothing else. It limits
        when a stream may be opened, not how long it goes on. A stream ends when the key that its token was
        made with is revoked.
        """
        wanted = body or EventsTokenRequest()
        issued = await self._passes.issue(caller, wanted.job_id, timedelta(seconds=wanted.ttl_seconds))
        return EventsTokenResponse(token=issued.token, expires_at=issued.expires_at)

    async def socket(self, caller: Caller, query: FromQuery[SocketQuery]) -> EventSocket:
        """Hear the same feed over a WebSocket: text messages `{"event", "id", "data"}`.

        The client may send `{"type": "subscribe", "job_id", "after"}`, `{"type": "unsubscribe", "job_id"}`
        and `{"type": "ping"}`; without `job_id` all jobs are meant. What it sends wrongly is answered with an
        `error`, and the connection goes on. Pages of origins that are not allowed are refused. Close codes:
        1001 the gateway shuts down, 1013 it is too busy, 4401 no key that works, 4403 the key does not allow
        it, 4404 no such job.
        """
        form = Format(query.format)
        seen = Position.parse(query.last_event_id)
        first = Wanted(query.job_id or None, seen, query.close_on_end, form) if query.subscribe else None
        return EventSocket(
            attended=self._streams.attended(caller),
            opened=partial(self._streams.opened, caller),
            connected=connected(form, self._streams.now()),
            first=first,
            form=form,
            write_timeout_seconds=self._write_timeout_seconds,
            heartbeat_seconds=self._heartbeat_seconds,
        )

    async def stream(
        self, caller: Caller, query: FromQuery[EventsQuery], headers: FromHeaders[EventsHeaders]
    ) -> EventStream:
        """Stream the events of one job from its first on, or of all jobs from now on.

        In the words of VideoAnnotator's viewer: `job.update` with status and progress in per cent, `job.log`,
        `job.complete`, `job.error`, `job.cancelled`, `job.deleted`; with `format=events` in our own:
        `job.submitted`, `task.started`, `task.progress`, … Events of a job's log have an id: a client that
        connects again with `Last-Event-ID` gets what it missed, on any gateway. Progress is telemetry without
        an id. A client that reads too slowly gets `lagged`, then what it missed.
        """
        seen = Position.parse(headers.last_event_id or query.last_event_id)
        wanted = Wanted(
            job_id=query.job_id or None,
            after=seen,
            close_on_end=query.close_on_end,
            form=Format(query.format),
        )
        return EventStream(self._streams.opened(caller, wanted), self._write_timeout_seconds)
