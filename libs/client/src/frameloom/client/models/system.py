"""The server itself."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from frameloom.client.models.answer import Answer


class SystemHealth(Answer):
    """How the whole server is."""

    status: str
    timestamp: datetime | None = None
    api_version: str | None = None
    videoannotator_version: str | None = None
    uptime_seconds: float | None = None
    system: dict[str, Any] = Field(default_factory=dict)
    database: dict[str, Any] = Field(default_factory=dict)
    gpu: dict[str, Any] = Field(default_factory=dict)
    pipelines: dict[str, Any] = Field(default_factory=dict)
    workers: dict[str, Any] = Field(default_factory=dict)
    services: dict[str, Any] = Field(default_factory=dict)
    security: dict[str, Any] = Field(default_factory=dict)
    frameloom_version: str | None = None
    problems: tuple[Any, ...] = ()
    fleet: dict[str, Any] = Field(default_factory=dict)

    @property
    def healthy(self) -> bool:
        """It says so itself."""
        return self.status in {"healthy", "ok"}
