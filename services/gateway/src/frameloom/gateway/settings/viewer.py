"""The browser viewer that the gateway serves, where the operator has a built copy of it."""

from __future__ import annotations

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict


class ViewerSettings(BaseSettings):
    """The browser viewer at ``/viewer``."""

    model_config = SettingsConfigDict(env_prefix="FRAMELOOM_GATEWAY_VIEWER_", frozen=True)

    dir: Path | None = None
    """Folder of a copy of video-annotation-viewer that was built with ``--base=/viewer/``; without it
    ``/viewer`` answers 404. A folder that holds no such copy ends the gateway at its start."""
