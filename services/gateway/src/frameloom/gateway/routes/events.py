"""Live events."""

from __future__ import annotations

from frameloom.common.errors import JobNotFoundError
from frameloom.gateway.errors import BusyError, OriginRefusedError, UpgradeRequiredError
from frameloom.gateway.handlers.events import EventHandlers
from frameloom.gateway.http.typed import Operation
from frameloom.gateway.services.caller import Scope


def event_operations(events: EventHandlers) -> list[Operation]:
    """The feed."""
    return [
        Operation(
            method="GET",
            path="/api/v1/events/stream",
            id="events_stream_api_v1_events_stream_get",
            summary="Events Stream",
            handler=events.stream,
            tags=("events",),
            scope=Scope.JOBS_READ,
            token="events",  # noqa: S106 - a purpose, no secret
            errors=(JobNotFoundError, BusyError),
        ),
        Operation(
            method="GET",
            path="/api/v1/events/ws",
            id="events_socket",
            summary="Events over a WebSocket",
            handler=events.socket,
            tags=("events",),
            status=101,
            scope=Scope.JOBS_READ,
            token="events",  # noqa: S106 - a purpose, no secret
            errors=(UpgradeRequiredError, OriginRefusedError),
        ),
        Operation(
            method="POST",
            path="/api/v1/events/token",
            id="create_events_token",
            summary="Make a Token for Event Streams",
            handler=events.token,
            tags=("events",),
            scope=Scope.JOBS_READ,
            errors=(JobNotFoundError,),
        ),
    ]
