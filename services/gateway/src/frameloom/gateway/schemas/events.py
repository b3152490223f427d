"""The live feed."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from frameloom.gateway.schemas import Shape


class EventsQuery(BaseModel):
    """Which events, from where on, and in whose words."""

    job_id: str | None = Field(default=None, description="Only this job, from its first event on")
    last_event_id: str | None = Field(
        default=None, description="Go on after this event; for clients that can not set the header"
    )
    close_on_end: bool = Field(default=False, description="End the stream after the job's last event")
    format: Literal["viewer", "events"] = Field(
        default="viewer",
        description="`viewer`: in the words of VideoAnnotator's viewer; `events`: in those of the job's log",
    )
    token: str | None = Field(
        default=None,
        description="A short-lived token in the place of a key, for clients that can not send a header",
    )


class EventsTokenRequest(BaseModel):
    """What a token is to be good for."""

    model_config = ConfigDict(extra="forbid")

    job_id: str | None = Field(
        default=None, description="Only this job; send the same `job_id` with the token"
    )
    ttl_seconds: int = Field(default=60, ge=1, le=3600, description="How long it opens streams and videos")


class EventsTokenResponse(Shape):
    """A token that opens event streams and videos until it expires. A stream that is open goes on."""

    token: str = Field(description="For `?token=`")
    expires_at: datetime


class EventsHeaders(BaseModel):
    """Sent by a browser when it connects again."""

    last_event_id: str | None = Field(default=None, alias="Last-Event-ID")
