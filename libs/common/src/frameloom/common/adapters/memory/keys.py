"""The API keys and the server's own secrets in dictionaries."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from frameloom.common.adapters.memory.stores import MemoryCollection
from frameloom.common.documents import ApiKey
from frameloom.common.machines.transition import Change


class MemoryKeyStore(MemoryCollection[ApiKey]):
    """The key store in memory."""

    async def insert(self, key: ApiKey) -> bool:
        """Stores a new key, if neither its id nor its hash is there."""
        if any(key.id == held.id or key.hash == held.hash for held in self.held.values()):
            return False
        self.held[key.id] = key
        return True

    async def find(self, hashes: Sequence[str]) -> ApiKey | None:
        """The key that has one of these hashes."""
        return next(iter(self._where(lambda key: key.hash in hashes, 1)), None)

    async def of_tenant(self, tenant: str | None) -> list[ApiKey]:
        """A tenant's keys, oldest first."""
        found = self._where(lambda key: tenant is None or key.tenant == tenant)
        return sorted(found, key=lambda key: (key.created_at, key.id))

    async def any(self) -> bool:
        """Whether there is a key."""
        return bool(self.held)

    async def apply(self, change: Change[ApiKey]) -> ApiKey | None:
        """Writes a change; a use that was noted meanwhile stays."""
        current = self.held.get(change.before.id)
        written = await super().apply(change)
        if written is None or current is None:
            return None
        kept = written.model_copy(update={"last_used_at": current.last_used_at})
        self.held[kept.id] = kept
        return kept

    async def touch(self, key_id: str, used_at: datetime, every_seconds: float) -> None:
        """Notes a use."""
        key = self.held.get(key_id)
        if key is None:
            return
        if key.last_used_at is None or key.last_used_at <= used_at - timedelta(seconds=every_seconds):
            self.held[key_id] = key.model_copy(update={"last_used_at": used_at})


class MemorySecretStore:
    """The secret store in memory."""

    def __init__(self) -> None:
        self.held: dict[str, str] = {}

    async def ensure(self, name: str, value: str) -> str:
        """Stores a value where there is none."""
        return self.held.setdefault(name, value)

    async def get(self, name: str) -> str | None:
        """What stands there."""
        return self.held.get(name)
