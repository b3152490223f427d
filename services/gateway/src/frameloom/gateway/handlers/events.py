"""The live events of jobs."""

from __future__ import annotations

from datetime import timedelta

from frameloom.gateway.http.sse import EventStream
from frameloom.gateway.http.typed import FromBody, FromHeaders, FromQuery
from frameloom.gateway.schemas.events import (
    EventsHeaders,
    EventsQuery,
    EventsTokenRequest,
    EventsTokenResponse,
)
from frameloom.gateway.services.caller import Caller
from frameloom.gateway.services.frames import Format
from frameloom.gateway.services.passes import PassService
from frameloom.gateway.services.streams import Position, StreamService, Wanted


class EventHandlers:
    """Streams of events."""

    def __init__(self, streams: StreamService, passes: PassService, write_timeout_seconds: float) -> None:
        self._streams = streams
        self._passes = passes
        self._write_timeout_seconds = write_timeout_seconds

    async def token(self, caller: Caller, body: FromBody[EventsTokenRequest | None]) -> EventsTokenResponse:
        """Make a short-lived token that opens event streams as `?token=`, where a header can not be sent.

        It allows nothing else, and limits only when a stream may be opened, not how long it goes on. A stream
        ends when the key that its token was made with is revoked.
        """
        wanted = body or EventsTokenRequest()
        issued = await self._passes.issue(caller, wanted.job_id, timedelta(seconds=wanted.ttl_seconds))
        return EventsTokenResponse(token=issued.token, expires_at=issued.expires_at)

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
