"""Health."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from frameloom.gateway.schemas import Shape


class HealthQuery(BaseModel):
    """How much to tell."""

    detailed: bool = Field(
        default=False, title="Detailed", description="Include detailed diagnostics (slower response)"
    )


class HealthResponse(Shape):
    """Whether the gateway works; ``details`` only when asked for."""

    status: str = Field(description="ok or unhealthy")
    version: str
    timestamp: datetime
    details: dict[str, Any] | None = Field(
        default=None,
        description="database, storage, broker, registry, gpu, and services",
        exclude_if=lambda value: value is None,
    )


class ServerHealthResponse(Shape):
    """The short health of the whole server."""

    status: str = Field(description="healthy or unhealthy")
    api_version: str = Field(description="The VideoAnnotator release whose API this follows")
    videoannotator_version: str = Field(description="The same")
    message: str
    logging: str
    memory_percent: float | None
    database: dict[str, Any]
