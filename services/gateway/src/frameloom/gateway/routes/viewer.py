"""Connecting a browser to the viewer. VideoAnnotator has no such operations."""

from __future__ import annotations

from frameloom.gateway.errors import ConnectTokenUsedError, UnauthorizedError, ViewerNotFoundError
from frameloom.gateway.handlers.viewer import ViewerHandlers
from frameloom.gateway.http.typed import Operation
from frameloom.gateway.services.caller import Scope


def viewer_operations(viewer: ViewerHandlers) -> list[Operation]:
    """Asking for a link, and exchanging its token."""
    return [
        Operation(
            method="POST",
            path="/api/v1/viewer/connect",
            id="connect_viewer",
            summary="Make a Link That Connects a Browser",
            handler=viewer.connect,
            tags=("viewer",),
            scope=Scope.JOBS_READ,
            errors=(ViewerNotFoundError,),
        ),
        Operation(
            method="POST",
            path="/api/v1/viewer/exchange",
            id="exchange_viewer_token",
            summary="Exchange the Token of a Link for a Key",
            handler=viewer.exchange,
            tags=("viewer",),
            status=201,
            errors=(UnauthorizedError, ConnectTokenUsedError),
        ),
    ]
