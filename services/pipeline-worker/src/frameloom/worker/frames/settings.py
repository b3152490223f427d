"""Settings of the frame port. They are read where a video is opened, which is in the child process."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class FrameSettings(BaseSettings):
    """How videos are decoded."""

    model_config = SettingsConfigDict(env_prefix="FRAMELOOM_WORKER_", frozen=True, env_ignore_empty=True)

    frames: Literal["auto", "pyav", "dali"] = Field(default="auto")
    """Decoder of videos. ``auto``: DALI on a GPU for what it can read, PyAV for all else. ``pyav``: never
    the GPU. ``dali``: DALI also without a GPU, which is slower than PyAV; what it can not read still goes to
    PyAV. Which one it was, and why, stands in the provenance of each result."""
