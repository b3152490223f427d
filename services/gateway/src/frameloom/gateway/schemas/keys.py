"""API keys."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from frameloom.gateway.schemas import Shape
from frameloom.gateway.services.caller import Scope

TENANT_FORM = r"^[a-z0-9][a-z0-9._-]{0,62}$"
_DEFAULT_SCOPES = (Scope.JOBS_READ, Scope.JOBS_WRITE, Scope.RESULTS_READ)
_LONGEST_DAYS = 36_500
_LONGEST_OVERLAP_SECONDS = 90 * 24 * 3600
_DAY_SECONDS = 24 * 3600
_MOST_BYTES = 2**60


class KeyLimitsShape(BaseModel):
    """What a key may use; null: what the server's settings say, 0: no limit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    requests_per_second: float | None = Field(default=None, ge=0, le=1e6, allow_inf_nan=False)
    burst: int | None = Field(default=None, ge=0, le=10**6, description="Requests that may come at once")
    concurrent_jobs: int | None = Field(default=None, ge=0, le=10**9, description="Pending and running")
    stored_bytes: int | None = Field(default=None, ge=0, le=_MOST_BYTES, description="Media of its jobs")


class KeyCreateRequest(BaseModel):
    """A key to be made."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, StringConstraints(strip_whitespace=True)] = Field(
        min_length=1,
        max_length=100,
        pattern=r"^[^\x00-\x1f\x7f-\x9f]*$",
        description="For people: who or what uses it; no control characters",
    )
    tenant: str | None = Field(
        default=None, pattern=TENANT_FORM, description="Whose jobs it sees; the maker's own unless given"
    )
    scopes: list[Scope] = Field(
        default_factory=lambda: list(_DEFAULT_SCOPES), min_length=1, max_length=len(Scope) * 4
    )
    expires_in_days: int | None = Field(
        default=None,
        ge=0,
        le=_LONGEST_DAYS,
        description="0: never; the server's default (365) unless given",
    )
    limits: KeyLimitsShape = Field(default_factory=KeyLimitsShape)


class KeyRotateRequest(BaseModel):
    """How a key is to be replaced."""

    model_config = ConfigDict(extra="forbid")

    overlap_seconds: int = Field(
        default=_DAY_SECONDS,
        ge=0,
        le=_LONGEST_OVERLAP_SECONDS,
        description="How long the old key works on",
    )


class KeyResponse(Shape):
    """A key; never the key itself."""

    id: str
    prefix: str = Field(description="Its first characters")
    name: str
    tenant: str
    scopes: list[str]
    status: str = Field(description="active, retiring, replaced, expired or revoked")
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = Field(default=None, description="To the minute")
    revoked_at: datetime | None = None
    replaces: str | None = Field(default=None, description="The key that it was made for by a rotation")
    replaced_by: str | None = None
    retires_at: datetime | None = Field(default=None, description="The end of a rotation's overlap")
    limits: KeyLimitsShape


class KeyCreatedResponse(KeyResponse):
    """A key that was made just now, with the key itself: it is shown this once."""

    key: str = Field(description="Keep it: nobody can see it later")


class KeyListResponse(Shape):
    """Keys, oldest first."""

    keys: list[KeyResponse]
    total: int
