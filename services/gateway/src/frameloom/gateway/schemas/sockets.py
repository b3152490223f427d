"""What a client may say over the WebSocket."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from frameloom.gateway.schemas.events import EventsQuery

_LONGEST_ID = 200


class SocketQuery(EventsQuery):
    """As of the stream, and whether to begin with a subscription."""

    subscribe: bool = Field(
        default=True, description="Begin with a subscription to the job named, or to all; false: to nothing"
    )


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Subscribe(_Message):
    """Hear a job from its first event on, or all jobs from now on."""

    type: Literal["subscribe"]
    job_id: str | None = Field(default=None, max_length=_LONGEST_ID)
    after: str | None = Field(default=None, max_length=_LONGEST_ID, description="Go on after this event's id")
    close_on_end: bool = Field(default=False, description="End the subscription after the job's last event")


class Unsubscribe(_Message):
    """Hear it no more."""

    type: Literal["unsubscribe"]
    job_id: str | None = Field(default=None, max_length=_LONGEST_ID)


class Ping(_Message):
    """Is anybody there? Answered with ``pong``."""

    type: Literal["ping"]


ClientMessage = Subscribe | Unsubscribe | Ping
CLIENT_MESSAGE: TypeAdapter[ClientMessage] = TypeAdapter(
    Annotated[ClientMessage, Field(discriminator="type")]
)
