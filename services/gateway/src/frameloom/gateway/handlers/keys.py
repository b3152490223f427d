"""Making, listing, revoking and rotating API keys."""

from __future__ import annotations

from typing import Any

from frameloom.common.documents import KeyLimits
from frameloom.gateway.http.typed import FromBody, FromPath
from frameloom.gateway.schemas.keys import (
    KeyCreatedResponse,
    KeyCreateRequest,
    KeyLimitsShape,
    KeyListResponse,
    KeyResponse,
    KeyRotateRequest,
)
from frameloom.gateway.services.caller import Caller
from frameloom.gateway.services.keys import KeyService, Shown, Wanted


class KeyHandlers:
    """The keys of the caller's tenant; for an admin of the tenant `default`, everybody's."""

    def __init__(self, keys: KeyService) -> None:
        self._keys = keys

    async def create(self, caller: Caller, request: FromBody[KeyCreateRequest]) -> KeyCreatedResponse:
        """Make a key. The answer shows it, this once. Limits of its own are the operator's to give."""
        wanted = Wanted(
            name=request.name,
            scopes=request.scopes,
            tenant=request.tenant,
            expires_in_days=request.expires_in_days,
            limits=KeyLimits.model_validate(request.limits.model_dump()),
        )
        return _created(await self._keys.create(caller, wanted))

    async def list_keys(self, caller: Caller) -> KeyListResponse:
        """List the keys, oldest first, those that have ended included."""
        found = [_shown(key) for key in await self._keys.keys(caller)]
        return KeyListResponse(keys=found, total=len(found))

    async def get(self, caller: Caller, key_id: FromPath[str]) -> KeyResponse:
        """Show a key."""
        return _shown(await self._keys.get(caller, key_id))

    async def revoke(self, caller: Caller, key_id: FromPath[str]) -> None:
        """End a key at once. Again changes nothing."""
        await self._keys.revoke(caller, key_id)

    async def rotate(
        self, caller: Caller, key_id: FromPath[str], request: FromBody[KeyRotateRequest | None]
    ) -> KeyCreatedResponse:
        """Make a key in the place of another, which works on for the overlap. The answer shows it, once."""
        overlap_seconds = (request or KeyRotateRequest()).overlap_seconds
        return _created(await self._keys.rotate(caller, key_id, overlap_seconds))


def _shown(shown: Shown) -> KeyResponse:
    return KeyResponse(**_fields(shown))


def _created(shown: Shown) -> KeyCreatedResponse:
    assert shown.text is not None
    return KeyCreatedResponse(**_fields(shown), key=shown.text)


def _fields(shown: Shown) -> dict[str, Any]:
    key = shown.key
    return {
        "id": key.id,
        "prefix": key.prefix,
        "name": key.name,
        "tenant": key.tenant,
        "scopes": list(key.scopes),
        "status": shown.status.value,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "last_used_at": key.last_used_at,
        "revoked_at": key.revoked_at,
        "replaces": key.replaces,
        "replaced_by": key.replaced_by,
        "retires_at": key.retires_at,
        "limits": KeyLimitsShape.model_validate(key.limits.model_dump()),
    }
