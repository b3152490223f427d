"""The three servers together, over one data directory."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import TracebackType
from typing import Self

from frameloom.local.servers.directory import DataDirectory
from frameloom.local.servers.ports import assign
from frameloom.local.servers.seaweed import PARTS, SeaweedServer
from frameloom.local.servers.secantus import SecantusServer
from frameloom.local.servers.server import Server
from frameloom.local.servers.tansu import BrokerStorage, TansuServer

BUCKET = "frameloom"
_BROKER_BUCKET = "frameloom-broker"
_SESSION_SECONDS = 2
_FETCH_WAIT_MS = 50


class EmbeddedServers:
    """A broker, a document database and an object store as child processes on loopback ports.

    Used as an asynchronous context manager: entered, all three answer; left, all three have ended. A second
    run over the same directory finds the same data and, where the ports are still free, the same addresses.

    Args:
        data_dir: Folder of data, logs, ports and credentials. One stack at a time may use it.
        broker_storage: Where the broker keeps topics, messages and offsets. ``memory`` forgets them when the
            broker ends: services make their topics again at start, and what was under way is rebuilt from the
            documents. ``s3`` keeps them in the object store, at 15-20 ms of processor time a message.

    Attributes:
        directory: The data directory.
        broker: The broker; set once entered, like the next two.
        documents: The document database.
        objects: The object store.
        gateway_port: A free port kept for a gateway beside the servers.

    Raises:
        DataDirectoryInUseError: On entering, another stack runs on the directory.
        ServerMissingError: On entering, a server's wheel is not installed.
        ServerStartError: On entering, a server could not be started.
    """

    broker: TansuServer
    documents: SecantusServer
    objects: SeaweedServer
    gateway_port: int

    def __init__(self, data_dir: Path, *, broker_storage: BrokerStorage = "memory") -> None:
        self.directory = DataDirectory(data_dir)
        self._storage: BrokerStorage = broker_storage

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Takes the directory and starts the servers."""
        self.open()
        await self.boot()

    async def boot(self) -> None:
        """Starts the servers of an opened directory, side by side where one does not need another."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.documents.start())
                group.create_task(self._start_objects_and_broker())
        except BaseExceptionGroup as failures:
            await self.stop()
            raise failures.exceptions[0] from None
        except BaseException:
            await self.stop()
            raise

    def open(self) -> None:
        """Takes the directory and settles addresses and credentials, without starting anything.

        After it ``environment`` is known, so that services can start while the servers still boot.
        """
        self.directory.acquire()
        try:
            names = {"broker": False, "documents": False, **dict.fromkeys(PARTS, True), "gateway": False}
            ports = assign(names, self.directory.load_ports())
            self.gateway_port = ports["gateway"]
            self.directory.save_ports(ports)
            credentials = self.directory.credentials()
        except BaseException:
            self.directory.release()
            raise
        self.documents = SecantusServer(self.directory, ports["documents"])
        self.objects = SeaweedServer(
            self.directory, ports, credentials=credentials, buckets=[BUCKET, _BROKER_BUCKET]
        )
        self.broker = TansuServer(
            self.directory,
            ports["broker"],
            storage=self._storage,
            s3=self.objects.client_variables(),
            bucket=_BROKER_BUCKET,
        )

    async def stop(self) -> None:
        """Ends the servers, the broker before the store it keeps its messages in, and frees the directory."""
        if not self.directory.held:
            return
        try:
            await asyncio.gather(self.documents.stop(), self._stop_broker_and_objects())
        finally:
            self.directory.release()

    @property
    def all(self) -> tuple[Server, ...]:
        """The servers in the order in which they can be started; none before the directory is opened."""
        return (self.documents, self.objects, self.broker) if self.directory.held else ()

    def environment(self) -> dict[str, str]:
        """The settings that lead a service to these servers; known before they answer."""
        keys = self.objects.credentials
        # A broker that forgets its messages when it ends may forget a task's last chunks: what waits for
        # them runs again after a minute, not after a quarter of an hour.
        forgetful = {"FRAMELOOM_LEASE_FINALIZE_SECONDS": "60"} if self._storage == "memory" else {}
        return {
            **forgetful,
            "FRAMELOOM_KAFKA_BOOTSTRAP_SERVERS": self.broker.address,
            "FRAMELOOM_KAFKA_IDEMPOTENT_PRODUCER": "false",
            "FRAMELOOM_KAFKA_SESSION_TIMEOUT_SECONDS": str(_SESSION_SECONDS),
            "FRAMELOOM_KAFKA_FETCH_MAX_WAIT_MS": str(_FETCH_WAIT_MS),
            "FRAMELOOM_MONGO_URI": self.documents.uri,
            "FRAMELOOM_MONGO_DATABASE": "frameloom",
            "FRAMELOOM_S3_ENDPOINT": self.objects.address,
            "FRAMELOOM_S3_ACCESS_KEY": keys.access_key,
            "FRAMELOOM_S3_SECRET_KEY": keys.secret_key,
            "FRAMELOOM_S3_BUCKET": BUCKET,
            "FRAMELOOM_S3_SECURE": "false",
        }

    async def _start_objects_and_broker(self) -> None:
        if self._storage == "memory":
            await asyncio.gather(self.objects.start(), self.broker.start())
        else:
            await self.objects.start()
            await self.broker.start()

    async def _stop_broker_and_objects(self) -> None:
        await self.broker.stop()
        await self.objects.stop()
