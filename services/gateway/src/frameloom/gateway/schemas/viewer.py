"""Connecting a browser to the viewer."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from frameloom.gateway.schemas import Shape


class ViewerLinkResponse(Shape):
    """A link that connects one browser, once."""

    url: str = Field(description="Below this server's address; the part behind # is the secret of it")
    expires_at: datetime


class ViewerExchangeRequest(BaseModel):
    """What a browser brings from such a link."""

    model_config = ConfigDict(extra="forbid")

    token: str = Field(min_length=1, max_length=4096)


class ViewerKeyResponse(Shape):
    """A key for the viewer: it allows what that needs, as far as the key does that asked for the link."""

    key: str
    key_id: str
    scopes: list[str]
    expires_at: datetime | None
