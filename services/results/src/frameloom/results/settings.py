"""Settings of the results service."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ResultsSettings(BaseSettings):
    """Where files are assembled, and how often leftovers are looked for."""

    model_config = SettingsConfigDict(env_prefix="FRAMELOOM_RESULTS_", frozen=True)

    scratch_dir: Path | None = None
    """Files are assembled here before they are stored. None: the system's folder for temporary files."""
    tidy_every_seconds: float = Field(default=2.0, gt=0)
    """Jobs that are over are looked for this often, to remove what they no longer need."""
    orphan_after_seconds: float = Field(default=24 * 3600.0, gt=0)
    """Media without a job is removed when it is this old; no upload may take longer."""
    quarantine_after_seconds: float = Field(default=6 * 3600.0, gt=0)
    """An upload that was never examined, because its gateway died, is removed when it is this old."""
