"""Settings of the scheduler."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from frameloom.common.machines.segments import Limits


class SchedulerSettings(BaseSettings):
    """How often the scheduler looks for itself, besides being woken by events."""

    model_config = SettingsConfigDict(env_prefix="FRAMELOOM_SCHEDULER_", frozen=True, env_ignore_empty=True)

    sweep_every_seconds: float = Field(default=1.0, gt=0)
    """Expired leases, unplanned jobs and unrelayed events are looked for this often."""
    dispatch_every_seconds: float = Field(default=1.0, gt=0)
    """Tasks whose backoff has ended are looked for this often."""
    redispatch_after_seconds: float = Field(default=5.0, gt=0)
    """A dispatched task that nobody claims while slots are free is published again after this long."""
    unplanned_after_seconds: float = Field(default=3.0, gt=0)
    """A submitted job whose event never arrived is planned after this long."""
    segment_seconds: float | None = Field(default=None, ge=0)
    """Long media are cut into segments of about this length. None: as each pipeline declares it, mostly 300.
    0: nothing is ever cut."""
    segment_above_seconds: float | None = Field(default=None, ge=0)
    """Media up to this length stay whole. None: as each pipeline declares it, mostly 600."""

    @property
    def segment_limits(self) -> Limits:
        """The two as the planning wants them."""
        return Limits(self.segment_seconds, self.segment_above_seconds)
