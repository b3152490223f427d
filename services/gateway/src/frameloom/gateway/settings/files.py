"""How files are handed out."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class FileSettings(BaseSettings):
    """How files are handed out."""

    model_config = SettingsConfigDict(env_prefix="FRAMELOOM_FILES_", frozen=True)

    redirect: bool = False
    """Whether downloads lead to the object store unless a client says otherwise (``?redirect=false``): the
    bytes then do not pass through the gateway. Clients must reach the store."""
    redirect_seconds: int = Field(default=300, ge=1, le=900)
    """How long such an address works. It can not be called back."""
