"""The connection: made once per process, ready when the server answers, its errors made ours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Self

import structlog
from pymongo import AsyncMongoClient
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import (
    AutoReconnect,
    ConnectionFailure,
    NetworkTimeout,
    NotPrimaryError,
    PyMongoError,
    ServerSelectionTimeoutError,
)

from frameloom.common.adapters.mongo.connections import Connections
from frameloom.common.errors import DatabaseUnavailableError
from frameloom.common.settings import MongoSettings

Collection = AsyncCollection[dict[str, Any]]
_PASSING = (AutoReconnect, ConnectionFailure, NetworkTimeout, NotPrimaryError, ServerSelectionTimeoutError)
log = structlog.get_logger(__name__)


@contextmanager
def translated() -> Iterator[None]:
    """Turns the driver's passing errors into :class:`DatabaseUnavailableError`."""
    try:
        yield
    except _PASSING as error:
        raise DatabaseUnavailableError(
            f"The database does not answer: {error}", hint="Try again in a moment."
        ) from error


class Mongo:
    """A connected client and its database.

    Writes wait for a majority and reads see only what a majority has: a claim that was answered holds.
    """

    def __init__(
        self, client: AsyncMongoClient[dict[str, Any]], database: str, connections: Connections
    ) -> None:
        self._client = client
        self._database = client.get_database(database)
        self._connections = connections

    @classmethod
    @asynccontextmanager
    async def connected(cls, settings: MongoSettings) -> AsyncIterator[Self]:
        """A connection that has answered, closed at the end.

        Raises:
            DatabaseUnavailableError: No answer within ``connect_timeout_seconds``.
        """
        connections = Connections()
        client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
            settings.uri.get_secret_value(),
            tz_aware=True,
            w="majority",
            readConcernLevel="majority",
            serverSelectionTimeoutMS=int(settings.timeout_seconds * 1000),
            timeoutMS=int(settings.timeout_seconds * 1000),
            event_listeners=[connections],
        )
        try:
            await _answers(client, settings.connect_timeout_seconds)
            yield cls(client, settings.database, connections)
        finally:
            await client.close()

    def collection(self, name: str) -> Collection:
        """A collection of the database."""
        return self._database[name]

    @property
    def name(self) -> str:
        """Of the database."""
        return self._database.name

    @property
    def connections(self) -> int:
        """How many are open."""
        return self._connections.open

    @property
    def address(self) -> str:
        """Hosts and ports of the servers that are known, without credentials."""
        return ",".join(sorted(f"{host}:{port}" for host, port in self._client.nodes))

    async def collection_names(self) -> list[str]:
        """The collections there are."""
        return await self._database.list_collection_names()

    async def command(self, name: str) -> dict[str, Any]:
        """Asks the server one of its questions that need no argument."""
        return await self._database.command(name)

    async def ping(self) -> None:
        """Asks the server for a sign of life.

        Raises:
            DatabaseUnavailableError: It gave none.
        """
        with translated():
            await self._client.admin.command("ping")

    async def drop(self) -> None:
        """Removes the whole database: for tests."""
        with translated():
            await self._client.drop_database(self._database.name)


async def _answers(client: AsyncMongoClient[dict[str, Any]], timeout_seconds: float) -> None:
    """Waits for a server that is still starting: its port refuses connections until it listens."""
    try:
        async with asyncio.timeout(timeout_seconds):
            while True:
                try:
                    await client.admin.command("ping")
                except (ServerSelectionTimeoutError, AutoReconnect) as error:
                    log.info("waiting for the database", reason=str(error)[:120])
                    continue
                return
    except (TimeoutError, PyMongoError) as error:
        raise DatabaseUnavailableError(
            f"The database did not answer within {timeout_seconds:g} s",
            hint="Check FRAMELOOM_MONGO_URI and that the server runs.",
        ) from error
