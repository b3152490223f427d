"""Who asks. Every service method takes the caller, so that no query forgets the tenant."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_TENANT = "default"


@dataclass(frozen=True, slots=True)
class Caller:
    """The tenant on whose behalf a request runs."""

    tenant: str = DEFAULT_TENANT
