"""The grounds that the tests run on: the embedded servers, and a real Kafka with a real MinIO.

The second one needs the servers' folder (``FRAMELOOM_TEST_SERVERS``, or ``shared/servers`` beside the
checkout) and Java; where it is missing its tests are skipped with a line that says so. Documents stay on
the embedded database there.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import aiohttp
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from frameloom.local.servers import EmbeddedServers
from frameloom.local.servers.directory import DataDirectory
from frameloom.local.servers.secantus import SecantusServer
from frameloom.local.servers.server import Server

_BESIDE = Path(__file__).parents[2].parent / "shared" / "servers"
NAMES = ("embedded", "kafka-minio")


class Restartable(Protocol):
    """A server that a test may crash."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def kill(self) -> None: ...


@dataclass(frozen=True)
class Ground:
    """Three running servers, and the settings that lead to them."""

    name: str
    environment: Mapping[str, str]
    broker: Restartable
    documents: Restartable
    objects: Restartable


def servers_folder() -> Path | None:
    """Where the real servers lie, if they are here."""
    named = os.environ.get("FRAMELOOM_TEST_SERVERS")
    folder = Path(named) if named else _BESIDE
    return folder if (folder / "kafka" / "start").exists() else None


def why_not(name: str) -> str | None:
    """Why a ground can not be had here, or None."""
    if name == "embedded":
        return None
    if servers_folder() is None:
        return "no real Kafka and MinIO here: set FRAMELOOM_TEST_SERVERS to a folder that has them"
    return None if shutil.which("java") else "a real Kafka needs Java, which is not installed"


class Grounds:
    """Opens each ground once, when a test first asks for it."""

    def __init__(self, stack: AsyncExitStack, folders: pytest.TempPathFactory) -> None:
        self._stack = stack
        self._folders = folders
        self._open: dict[str, Ground] = {}

    async def get(self, name: str) -> Ground:
        """The ground of this name; skips the test where it can not be had."""
        if (reason := why_not(name)) is not None:
            pytest.skip(reason)
        if name not in self._open:
            folder = self._folders.mktemp(name)
            self._open[name] = await self._stack.enter_async_context(opened(name, folder))
        return self._open[name]


@asynccontextmanager
async def opened(
    name: str, folder: Path, broker_storage: Literal["memory", "s3"] = "memory"
) -> AsyncIterator[Ground]:
    """Starts a ground in a folder; its servers end with the block.

    ``broker_storage`` is the embedded broker's: with ``s3`` its messages survive it.
    """
    async with _embedded(folder, broker_storage) if name == "embedded" else _real(folder) as ground:
        yield ground


@asynccontextmanager
async def _embedded(folder: Path, storage: Literal["memory", "s3"]) -> AsyncIterator[Ground]:
    async with EmbeddedServers(folder, broker_storage=storage) as servers:
        yield Ground("embedded", servers.environment(), servers.broker, servers.documents, servers.objects)


class _Scripted(Server):
    """A server started by its ``start`` script, which picks a port and writes it to ``address``."""

    def __init__(self, directory: DataDirectory, script: Path) -> None:
        super().__init__(directory, 0)
        self._script = script

    @property
    def address(self) -> str:
        return (self.directory.folder(self.name) / "address").read_text().strip()

    def command(self, folder: Path) -> list[str]:
        return [str(self._script), str(folder)]


class _Kafka(_Scripted):
    name = "kafka"

    async def probe(self) -> bool:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.address)
        try:
            await admin.start()
            await admin.list_topics()
        except KafkaError:
            return False
        finally:
            await admin.close()
        return True


class _Minio(_Scripted):
    name = "minio"
    user = "frameloom-tests"
    password = "only-for-tests"

    def variables(self) -> Mapping[str, str]:
        return {"MINIO_ROOT_USER": self.user, "MINIO_ROOT_PASSWORD": self.password}

    async def probe(self) -> bool:
        url = f"http://{self.address}/minio/health/live"
        try:
            async with aiohttp.ClientSession() as session, session.get(url) as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False


@asynccontextmanager
async def _real(folder: Path) -> AsyncIterator[Ground]:
    scripts = servers_folder()
    assert scripts is not None
    directory = DataDirectory(folder)
    directory.acquire()
    kafka = _Kafka(directory, scripts / "kafka" / "start")
    minio = _Minio(directory, scripts / "minio" / "start")
    documents = SecantusServer(directory, _free_port())
    try:
        for server in (kafka, minio, documents):
            await server.start()
        environment = {
            "FRAMELOOM_KAFKA_BOOTSTRAP_SERVERS": kafka.address,
            "FRAMELOOM_KAFKA_IDEMPOTENT_PRODUCER": "true",
            "FRAMELOOM_KAFKA_SESSION_TIMEOUT_SECONDS": "6",
            "FRAMELOOM_MONGO_URI": documents.uri,
            "FRAMELOOM_S3_ENDPOINT": minio.address,
            "FRAMELOOM_S3_ACCESS_KEY": minio.user,
            "FRAMELOOM_S3_SECRET_KEY": minio.password,
            "FRAMELOOM_S3_SECURE": "false",
        }
        yield Ground("kafka-minio", environment, kafka, documents, minio)
    finally:
        for server in (kafka, minio, documents):
            await server.stop()
        directory.release()


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
