"""The whole system."""

from __future__ import annotations

from frameloom.common.errors import DatabaseUnavailableError
from frameloom.gateway.handlers.system import SystemHandlers
from frameloom.gateway.http.typed import Operation


def system_operations(system: SystemHandlers) -> list[Operation]:
    """How everything is; open to everybody, who sees more with an admin's key."""
    tags = ("system",)
    table = [
        Operation(
            method="GET",
            path="/api/v1/system/health",
            id="detailed_health_check_api_v1_system_health_get",
            summary="Comprehensive system health and resource monitoring",
            handler=system.health,
            tags=tags,
        ),
        Operation(
            method="GET",
            path="/api/v1/system/metrics",
            id="get_system_metrics_api_v1_system_metrics_get",
            summary="Get System Metrics",
            handler=system.figures,
            tags=tags,
        ),
        Operation(
            method="GET",
            path="/api/v1/system/config",
            id="get_system_config_api_v1_system_config_get",
            summary="Get System Config",
            handler=system.configuration,
            tags=tags,
        ),
        Operation(
            method="GET",
            path="/api/v1/system/database",
            id="get_database_info_endpoint_api_v1_system_database_get",
            summary="Get Database Info Endpoint",
            handler=system.database,
            tags=tags,
            errors=(DatabaseUnavailableError,),
        ),
    ]
    if system.settings.diagnostics.metrics:
        table.append(
            Operation(
                method="GET",
                path="/metrics",
                id="metrics_metrics_get",
                summary="Metrics for Prometheus",
                handler=system.exposition,
                tags=tags,
            )
        )
    return table
