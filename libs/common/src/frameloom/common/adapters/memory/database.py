"""The database of the stores in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sized

from frameloom.common.errors import DatabaseUnavailableError
from frameloom.common.ports.database import CollectionReport, DatabaseReport


class MemoryDatabase:
    """Tells of collections in memory.

    Attributes:
        away: It does not answer.
    """

    def __init__(self, collections: Mapping[str, Sized]) -> None:
        self.away = False
        self._collections = collections

    async def ping(self) -> float:
        """Asks for a sign of life; how many seconds it took."""
        if self.away:
            raise DatabaseUnavailableError("The database does not answer")
        return 0.0

    async def report(self) -> DatabaseReport:
        """Everything there is to tell."""
        took = await self.ping()
        return DatabaseReport(
            backend="memory",
            version="1",
            name="memory",
            address="memory:0",
            ping_seconds=took,
            connections=1,
            size_bytes=None,
            collections=tuple(
                CollectionReport(name, len(held), ("_id",))
                for name, held in sorted(self._collections.items())
            ),
        )
