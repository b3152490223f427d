"""The browser viewer that the gateway serves, where the operator has a built copy of it."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ViewerSettings(BaseSettings):
    """The browser viewer at ``/viewer``."""

    model_config = SettingsConfigDict(env_prefix="FRAMELOOM_GATEWAY_VIEWER_", frozen=True)

    dir: Path | None = None
    """Folder of a copy of video-annotation-viewer that was built with ``--base=/viewer/``; without it
    ``/viewer`` answers 404. A folder that holds no such copy ends the gateway at its start."""
    connect_seconds: int = Field(default=300, ge=10, le=3600)
    """How long a link that connects a browser works; it works once."""
    key_days: int = Field(default=7, ge=1, le=365)
    """How long the key works that a browser gets for such a link; never longer than the key that asked for
    the link, and not after that one is revoked."""
