"""Settings of the scheduler."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class SchedulerSettings(BaseSettings):
    """How often the scheduler looks for itself, besides being woken by events."""

    model_config = SettingsConfigDict(env_prefix="FRAMELOOM_SCHEDULER_", frozen=True)

    sweep_every_seconds: float = Field(default=1.0, gt=0)
    """Expired leases, unplanned jobs and unrelayed events are looked for this often."""
    dispatch_every_seconds: float = Field(default=1.0, gt=0)
    """Tasks whose backoff has ended are looked for this often."""
    redispatch_after_seconds: float = Field(default=5.0, gt=0)
    """A dispatched task that nobody claims while slots are free is published again after this long."""
    unplanned_after_seconds: float = Field(default=3.0, gt=0)
    """A submitted job whose event never arrived is planned after this long."""
