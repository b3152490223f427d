"""Where the gateway listens and what it takes."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

_DEV_PORTS = (*range(18011, 18021), *range(19011, 19021), 3000, 5173, 4200, 8080, 8000)


def _default_origins() -> tuple[str, ...]:
    """The origins that VideoAnnotator allows: its viewer and the usual development servers, on this host."""
    return tuple(f"http://{host}:{port}" for host in ("localhost", "127.0.0.1") for port in _DEV_PORTS)


class GatewaySettings(BaseSettings):
    """Where the gateway listens and what it takes."""

    model_config = SettingsConfigDict(env_prefix="FRAMELOOM_GATEWAY_", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(default=18011, ge=0, le=65535)
    """0: any free port; the log tells which."""
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(default_factory=_default_origins)
    """Comma-separated; ``*`` allows any http or https origin."""

    max_upload_bytes: int = Field(default=10 * 1024**3, ge=1)
    max_config_bytes: int = Field(default=1024**2, ge=1)
    max_concurrent_uploads: int = Field(default=16, ge=1)
    """Further uploads wait; each costs up to about 40 MB of memory."""
    upload_wait_seconds: float = Field(default=60.0, gt=0)
    body_idle_timeout_seconds: float = Field(default=60.0, gt=0)
    """How long a client may be silent in the middle of its upload."""

    accept_unoffered: bool = False
    """Take jobs also for pipelines that are known and that no worker has offered yet: they wait for one."""

    heartbeat_seconds: float = Field(default=15.0, gt=0)
    stream_queue: int = Field(default=256, ge=1)
    """Events that wait for a slow client before it is caught up from the documents instead."""
    stream_write_timeout_seconds: float = Field(default=60.0, gt=0)
    max_streams: int = Field(default=1200, ge=1)
    """Event streams, and subscriptions over WebSockets, at once in one process; further ones are refused with
    503. Each stream is an open file."""
    key_in_query: bool = False
    """Whether event streams take an API key as ``?token=`` too, as VideoAnnotator's viewer sends it. Off:
    only short-lived tokens. On: keys stand in addresses, and so in the logs of proxies and in histories."""
    replay_overlap_seconds: float = Field(default=5.0, ge=0)
    """How far before the last seen event a replay over all jobs begins."""

    probe_timeout_seconds: float = Field(default=5.0, gt=0)
    shutdown_grace_seconds: float = Field(default=20.0, ge=0)

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        return (
            [item.strip() for item in value.split(",") if item.strip()] if isinstance(value, str) else value
        )
