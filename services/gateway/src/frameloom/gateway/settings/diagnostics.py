"""What the gateway tells of itself and of the fleet."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class DiagnosticsSettings(BaseSettings):
    """What the gateway tells of itself and of the fleet."""

    model_config = SettingsConfigDict(env_prefix="FRAMELOOM_GATEWAY_", frozen=True)

    debug: bool = False
    """Whether ``/api/v1/debug/*`` exists."""
    metrics: bool = True
    """Whether ``/metrics`` exists, for Prometheus. It needs no key, and tells numbers only."""
    environment: str = Field(default="production", pattern=r"^[A-Za-z0-9_.-]{1,40}$")
    """A word for this installation, shown by ``/api/v1/system/config``."""
    status_seconds: float = Field(default=2.0, ge=0, le=60)
    """How old what is told of servers and processes may be: however many ask, each is asked this often."""
    request_log_entries: int = Field(default=1000, ge=1, le=100_000)
    """How many of the latest requests ``/api/v1/debug/request-log`` remembers."""
    mock_event_seconds: float = Field(default=2.0, ge=0, le=60)
    """The pause between the events of ``/api/v1/debug/mock-events``."""
