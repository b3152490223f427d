"""The live events of jobs."""

from __future__ import annotations

from frameloom.gateway.http.sse import EventStream
from frameloom.gateway.http.typed import FromHeaders, FromQuery
from frameloom.gateway.schemas.health import EventsHeaders, EventsQuery
from frameloom.gateway.services.caller import Caller
from frameloom.gateway.services.streams import Position, StreamService, Wanted


class EventHandlers:
    """Streams of events."""

    def __init__(self, streams: StreamService, write_timeout_seconds: float) -> None:
        self._streams = streams
        self._write_timeout_seconds = write_timeout_seconds

    async def stream(
        self, caller: Caller, query: FromQuery[EventsQuery], headers: FromHeaders[EventsHeaders]
    ) -> EventStream:
        """Stream the events of one job from its first on, or of all jobs from now on.

        Events of jobs (`job.submitted`, `task.completed`, …) have an id: a client that connects again with
        `Last-Event-ID` gets what it missed. `task.progress` is telemetry without an id. A client that reads
        too slowly gets `lagged`, then what it missed.
        """
        seen = Position.parse(headers.last_event_id or query.last_event_id)
        wanted = Wanted(job_id=query.job_id or None, after=seen, close_on_end=query.close_on_end)
        return EventStream(self._streams.opened(caller, wanted), self._write_timeout_seconds)
