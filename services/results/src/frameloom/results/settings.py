"""Settings of the results service."""

from __future__ import annotations

from pathlib import Path

from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ResultsSettings(BaseSettings):
    """Where files are assembled, how long things are kept, and how often leftovers are looked for."""

    model_config = SettingsConfigDict(
        env_prefix="FRAMELOOM_RESULTS_", frozen=True, env_ignore_empty=True, populate_by_name=True
    )

    scratch_dir: Path | None = None
    """Files are assembled here before they are stored. None: the system's folder for temporary files."""
    tidy_every_seconds: float = Field(default=2.0, gt=0)
    """Jobs that are over are looked for this often, to remove what they no longer need."""
    orphan_after_seconds: float = Field(default=24 * 3600.0, gt=0)
    """What lies in the bucket without a job is removed when that is this old; no upload may take longer."""
    quarantine_after_seconds: float = Field(default=6 * 3600.0, gt=0)
    """An upload that was never examined, because its gateway died, is removed when it is this old."""
    retention_days: float | None = Field(
        default=None,
        gt=0,
        validation_alias=AliasChoices("FRAMELOOM_RESULTS_RETENTION_DAYS", "STORAGE_RETENTION_DAYS"),
    )
    """Jobs that ended more days ago than this are deleted, with media and results. None: never.
    ``STORAGE_RETENTION_DAYS``, VideoAnnotator's name of it, is read too."""
    purge_after_seconds: float = Field(default=3600.0, ge=0)
    """How long the tombstone of a deleted job is kept, for messages that come late and for clients that watch
    all events. Its media and results go at once."""
