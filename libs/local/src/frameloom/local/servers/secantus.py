"""The embedded document database: SecantusDB, which speaks MongoDB's protocol.

It shows itself as a replica set of one, so change streams and transactions work; write concern
``majority`` and retryable writes are accepted. Without ``--sync-on-commit`` it loses writes that it has
acknowledged when it is killed (found by trial: 57 of 57 documents), so that is always on.

Its storage engine must not ask the database's own threads to make room in the cache. As it comes, it does so
when a tenth of the cache is versions that somebody may still read: the thread that is asked holds the one
lock of the database, those who may still read wait for that lock, and all stands still for ever (seen twice
under load, at 31 MB; raising the limits in the standing process let it go on).
"""

from __future__ import annotations

import asyncio
import importlib.util
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from frameloom.local.errors import ServerMissingError
from frameloom.local.servers.server import Server

_CACHE = "512M"
_STORAGE = "eviction_dirty_trigger=90,eviction_updates_trigger=85"
"""Per cent of the cache from which threads are asked to make room; WiredTiger's own are 20 and 10. The
targets, to which its background threads keep it, stay as they are, so it takes no more memory for that."""
_KNOCK_SECONDS = 0.05
_DEAF_AFTER_KNOCKS = 6


class SecantusServer(Server):
    """The document database."""

    name = "documents"

    @property
    def uri(self) -> str:
        """How a client reaches it."""
        return f"mongodb://{self.address}/?directConnection=true"

    def prepare(self, folder: Path) -> None:
        """Writes an empty configuration, so that no file elsewhere on the machine is looked for."""
        if importlib.util.find_spec("secantus") is None:
            raise ServerMissingError(
                "The embedded document database is not installed",
                hint="pip install 'frameloom-local[servers]', or name your own servers.",
            )
        (folder / "secantusd.toml").touch()

    def command(self, folder: Path) -> list[str]:
        """The database in this Python, on loopback."""
        return [
            *(sys.executable, "-m", "secantus", "--config", str(folder / "secantusd.toml")),
            *("--host", "127.0.0.1", "--port", str(self.port), "--storage-path", str(folder / "data")),
            *("--cache-size", _CACHE, "--sync-on-commit", "--log-level", "WARNING"),
        ]

    def variables(self) -> Mapping[str, str]:
        """What only the storage engine reads, and the database has no option for."""
        return {"WIREDTIGER_CONFIG": _STORAGE}

    async def stop(self) -> None:
        """Ends it in order, and knocks at its door meanwhile.

        Two things keep it: asked to end, it waits two seconds for the thread that accepts connections, which
        does not notice that its socket was closed until somebody connects; and the request itself is lost
        when it comes just as Python's main thread goes to sleep on a lock. While it is ending, one knock at
        most is answered; a door that stays open has not heard, and is asked again.
        """
        ending = asyncio.ensure_future(super().stop())
        answered = 0
        while not ending.done():
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                answered = 0
            else:
                writer.close()
                answered += 1
            if answered >= _DEAF_AFTER_KNOCKS:
                self.signal(signal.SIGTERM)
                answered = 0
            await asyncio.wait({ending}, timeout=_KNOCK_SECONDS)
        await ending

    async def probe(self) -> bool:
        """Waits for the port, then greets as a client does."""
        _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.close()
        from pymongo import AsyncMongoClient  # noqa: PLC0415  (imported while the servers boot)
        from pymongo.errors import PyMongoError  # noqa: PLC0415

        client: AsyncMongoClient[dict[str, object]] = AsyncMongoClient(
            self.uri, serverSelectionTimeoutMS=1000
        )
        try:
            greeting = await client.admin.command("hello")
        except PyMongoError:
            return False
        finally:
            await client.close()
        return bool(greeting.get("isWritablePrimary"))
