"""Who asks. Every service method takes the caller, so that no query forgets the tenant."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

DEFAULT_TENANT = "default"


class Scope(StrEnum):
    """What a key allows."""

    JOBS_READ = "jobs:read"
    JOBS_WRITE = "jobs:write"
    RESULTS_READ = "results:read"
    ADMIN = "admin"
    """Everything in its tenant, its keys included, and the fleet's insides. An admin of the tenant
    ``default`` is the operator, who rules over the keys of all tenants."""


ANY_KEY: Literal["any key"] = "any key"
"""In the place of a scope: any key that works will do, whatever it allows."""
Needed = Scope | Literal["any key"]


@dataclass(frozen=True, slots=True)
class Caller:
    """The tenant on whose behalf a request runs, and what it may do.

    Attributes:
        tenant: Whose jobs it sees.
        key_id: The key it came with; None: without one.
        line: The first key of that one's line of rotations; None: itself.
        scopes: What it may do. Where no keys are asked for, everything.
        job_id: Only this job, where it came with a token that was made for one; None: any of the tenant's.
    """

    tenant: str = DEFAULT_TENANT
    key_id: str | None = None
    scopes: frozenset[Scope] = frozenset(Scope)
    job_id: str | None = None
    line: str | None = None

    @property
    def account(self) -> str | None:
        """What its use is counted under; None: it came without a key."""
        return self.line or self.key_id

    @property
    def operates(self) -> bool:
        """Whether this is the operator, who rules over the keys of all tenants."""
        return self.tenant == DEFAULT_TENANT and Scope.ADMIN in self.scopes

    def may(self, scope: Scope) -> bool:
        """Whether it has this scope."""
        return scope in self.scopes or Scope.ADMIN in self.scopes


ANONYMOUS = Caller(tenant="", scopes=frozenset())
"""Whoever asks, without a key, for what is open to everybody. Nothing belongs to this tenant."""
