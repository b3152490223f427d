"""What stands in for a key for a while."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from frameloom.client.models.answer import Answer


class EventToken(Answer):
    """A token that opens event streams as ``?token=``, where a header can not be sent, and nothing else."""

    token: str = Field(repr=False)
    expires_at: datetime


class ViewerLink(Answer):
    """A link that connects one browser to the server's viewer, once."""

    url: str = Field(repr=False)
    expires_at: datetime
