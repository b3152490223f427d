"""What an operator wants to know of the document database itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class CollectionReport:
    """One collection.

    Attributes:
        name: Its name.
        documents: How many it holds, as the database estimates it.
        indexes: The keys of each index, as ``field, field``.
    """

    name: str
    documents: int
    indexes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DatabaseReport:
    """The database as it answered.

    Attributes:
        backend: What it is.
        version: Of the server, as it says.
        name: Of the database.
        address: Where it is: host and port, never with credentials.
        ping_seconds: How long a sign of life took.
        connections: That this process has open.
        size_bytes: Of the data on disk; None where the server does not tell.
        collections: Those of Frameloom, by name.
    """

    backend: str
    version: str
    name: str
    address: str
    ping_seconds: float
    connections: int
    size_bytes: int | None
    collections: tuple[CollectionReport, ...]


class Database(Protocol):
    """The database behind the stores."""

    async def ping(self) -> float:
        """Asks for a sign of life; how many seconds it took.

        Raises:
            DatabaseUnavailableError: It gave none.
        """
        ...

    async def report(self) -> DatabaseReport:
        """Everything there is to tell.

        Raises:
            DatabaseUnavailableError: It does not answer.
        """
        ...
