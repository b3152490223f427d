"""Keys."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from frameloom.client.models.answer import Answer


class ApiKey(Answer):
    """A key as the server lists it: all but the key itself."""

    id: str
    name: str | None = None
    prefix: str | None = None
    tenant: str | None = None
    scopes: tuple[str, ...] = ()
    status: str | None = None
    """``active``, ``retiring`` (replaced, in its overlap), ``replaced``, ``expired`` or ``revoked``."""
    created_at: datetime | None = None
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None
    replaces: str | None = None
    replaced_by: str | None = None
    retires_at: datetime | None = None
    limits: dict[str, float | None] = Field(default_factory=dict)


class NewApiKey(ApiKey):
    """A key that was just made. The server shows ``key`` this once, and never again."""

    key: str = Field(repr=False)
