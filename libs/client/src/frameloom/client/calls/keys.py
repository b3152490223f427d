"""Keys of the server, for who may make and revoke them."""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from typing import Any

from frameloom.client.answers import json_object, parse
from frameloom.client.errors import ServerError, UsageError
from frameloom.client.models import ApiKey, NewApiKey
from frameloom.client.transport import API, Calls, segment

_KEYS = f"{API}/keys"


class AsyncKeys(Calls):
    """Calls about keys; all of them need a key with the scope ``admin``."""

    def __init__(self, client: Calls) -> None:
        self._transport = client._transport

    async def create(
        self,
        name: str,
        *,
        scopes: Sequence[str] | None = None,
        expires_in_days: int | None = None,
        tenant: str | None = None,
        limits: Mapping[str, float] | None = None,
    ) -> NewApiKey:
        """Makes a key. The answer has it in ``key``, this once.

        Args:
            name: What it is for, for people.
            scopes: What it allows; the server's default unless given.
            expires_in_days: When it ends; 0: never; the server's default unless given.
            tenant: Whose jobs it sees; the maker's own unless given.
            limits: What it may use (``requests_per_second``, ``concurrent_jobs``, ...), where the server lets
                the maker decide it.

        Raises:
            UsageError: The name is empty.
        """
        if not name.strip():
            raise UsageError("A key needs a name", hint="Say who or what will use it, such as 'lab laptop'")
        facts = {
            "name": name,
            "scopes": None if scopes is None else [*scopes],
            "expires_in_days": expires_in_days,
            "tenant": tenant,
            "limits": None if limits is None else dict(limits),
        }
        body = {fact: value for fact, value in facts.items() if value is not None}
        return parse(NewApiKey, await self._transport.send("POST", _KEYS, once=True, json=body))

    async def list(self) -> tuple[ApiKey, ...]:
        """All keys that the caller rules over, oldest first, those that have ended included."""
        document = json_object(await self._transport.send("GET", _KEYS))
        return tuple(ApiKey.model_validate(row) for row in _rows(document))

    async def get(self, key_id: str) -> ApiKey:
        """One key.

        Raises:
            NotFoundError: There is none of this id, or it is not yours.
        """
        return await self._transport.get(ApiKey, f"{_KEYS}/{segment(key_id)}")

    async def revoke(self, key_id: str) -> None:
        """Ends a key at once; to do so again changes nothing."""
        await self._transport.send("DELETE", f"{_KEYS}/{segment(key_id)}")

    async def rotate(self, key_id: str, *, overlap_seconds: int | None = None) -> NewApiKey:
        """Makes a key that takes the place of another, with the same scopes.

        Args:
            key_id: The old one.
            overlap_seconds: How long the old one still works; the server's default unless given.
        """
        body = {} if overlap_seconds is None else {"overlap_seconds": overlap_seconds}
        path = f"{_KEYS}/{segment(key_id)}/rotate"
        return parse(NewApiKey, await self._transport.send("POST", path, once=True, json=body))


def _rows(document: dict[str, Any]) -> builtins.list[Any]:
    rows = document.get("keys")
    if not isinstance(rows, list):
        raise ServerError("The server's answer has no list of keys")
    return rows
