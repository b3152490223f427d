"""API keys. VideoAnnotator has no such operations."""

from __future__ import annotations

from frameloom.gateway.errors import KeyEndedError, KeyNotFoundError, LimitsForbiddenError, OtherTenantError
from frameloom.gateway.handlers.keys import KeyHandlers
from frameloom.gateway.http.typed import Operation
from frameloom.gateway.services.caller import Scope

_PATH = "/api/v1/keys"
_ONE = "/api/v1/keys/{key_id}"
_TAGS = ("keys",)


def key_operations(keys: KeyHandlers) -> list[Operation]:
    """Making, listing, showing, revoking and rotating."""
    return [
        Operation(
            method="POST",
            path=_PATH,
            id="create_key",
            summary="Make an API Key",
            handler=keys.create,
            tags=_TAGS,
            scope=Scope.ADMIN,
            status=201,
            errors=(OtherTenantError, LimitsForbiddenError),
        ),
        Operation(
            method="GET",
            path=_PATH,
            id="list_keys",
            summary="List API Keys",
            handler=keys.list_keys,
            tags=_TAGS,
            scope=Scope.ADMIN,
        ),
        Operation(
            method="GET",
            path=_ONE,
            id="get_key",
            summary="Show an API Key",
            handler=keys.get,
            tags=_TAGS,
            scope=Scope.ADMIN,
            errors=(KeyNotFoundError,),
        ),
        Operation(
            method="DELETE",
            path=_ONE,
            id="revoke_key",
            summary="Revoke an API Key",
            handler=keys.revoke,
            tags=_TAGS,
            scope=Scope.ADMIN,
            status=204,
            errors=(KeyNotFoundError,),
        ),
        Operation(
            method="POST",
            path=f"{_ONE}/rotate",
            id="rotate_key",
            summary="Rotate an API Key",
            handler=keys.rotate,
            tags=_TAGS,
            scope=Scope.ADMIN,
            status=201,
            errors=(KeyNotFoundError, KeyEndedError),
        ),
    ]
