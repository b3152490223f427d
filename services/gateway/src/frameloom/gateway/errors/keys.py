"""Why a key can not be had or changed."""

from __future__ import annotations

from frameloom.common.errors import ConflictError, NotFoundError
from frameloom.common.text import cut
from frameloom.gateway.errors.access import ForbiddenError


class KeyNotFoundError(NotFoundError):
    """There is no key of this id, or it is not the caller's to see."""

    code = "KEY_NOT_FOUND"

    def __init__(self, key_id: str) -> None:
        super().__init__(
            f"Key {cut(key_id)} not found",
            hint="List the keys with GET /api/v1/keys",
            detail={"key_id": cut(key_id)},
        )


class KeyEndedError(ConflictError):
    """The key has expired, was revoked, or has a successor already: it can not be rotated."""

    code = "KEY_ENDED"

    def __init__(self, key_id: str, status: str) -> None:
        super().__init__(
            f"Key {key_id} is {status}",
            hint="Make a new one with POST /api/v1/keys",
            detail={"key_id": key_id, "status": status},
        )


class OtherTenantError(ForbiddenError):
    """Only an admin of the tenant `default` makes keys for other tenants."""

    def __init__(self, tenant: str) -> None:
        super().__init__(
            f"This key makes no keys for the tenant {cut(tenant)}",
            hint="Only an admin key of the tenant default makes keys for other tenants.",
            detail={"tenant": tenant},
        )


class LimitsForbiddenError(ForbiddenError):
    """Only an admin of the tenant `default` gives keys limits of their own."""

    def __init__(self) -> None:
        super().__init__(
            "This key chooses no limits",
            hint="Leave them out, or ask an admin of the tenant default.",
        )
