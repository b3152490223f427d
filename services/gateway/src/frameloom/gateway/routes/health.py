"""Health."""

from __future__ import annotations

from frameloom.gateway.handlers.health import HealthHandlers
from frameloom.gateway.http.typed import Operation


def health_operations(health: HealthHandlers) -> list[Operation]:
    """Whether it works."""
    return [
        Operation(
            method="GET",
            path="/api/v1/health",
            id="health_check_api_v1_health_get",
            summary="Health check with optional detailed diagnostics",
            handler=health.health,
            tags=("health",),
            unavailable="A dependency does not answer; `details` tells which",
        ),
        Operation(
            method="GET",
            path="/health",
            id="health_check_health_get",
            summary="Health Check",
            handler=health.server_health,
        ),
    ]
