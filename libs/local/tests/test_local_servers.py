"""The embedded servers: used, stopped, killed and restarted over the same data."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from minio import Minio
from minio.error import S3Error
from pymongo import AsyncMongoClient

from frameloom.local.errors import DataDirectoryInUseError, ServerStartError
from frameloom.local.servers import EmbeddedServers
from frameloom.local.servers.directory import DataDirectory
from frameloom.local.servers.ports import assign, is_free


@pytest.fixture(scope="module")
async def servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedServers]:
    async with EmbeddedServers(tmp_path_factory.mktemp("embedded"), broker_storage="s3") as running:
        yield running


def s3(servers: EmbeddedServers) -> Minio:
    env = servers.environment()
    return Minio(
        env["FRAMELOOM_S3_ENDPOINT"],
        access_key=env["FRAMELOOM_S3_ACCESS_KEY"],
        secret_key=env["FRAMELOOM_S3_SECRET_KEY"],
        secure=False,
        region="us-east-1",
    )


async def documents(servers: EmbeddedServers, collection: str) -> list[dict[str, object]]:
    async with AsyncMongoClient(servers.environment()["FRAMELOOM_MONGO_URI"]) as client:
        return await client["frameloom"][collection].find().to_list()


async def insert(servers: EmbeddedServers, collection: str, count: int) -> None:
    async with AsyncMongoClient(servers.environment()["FRAMELOOM_MONGO_URI"], w="majority") as client:
        for number in range(count):
            await client["frameloom"][collection].insert_one({"_id": number})


async def consume(servers: EmbeddedServers, topic: str, group: str, count: int) -> list[bytes]:
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=servers.broker.address,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        fetch_max_wait_ms=50,
        session_timeout_ms=2000,
        heartbeat_interval_ms=400,
    )
    await consumer.start()
    try:
        async with asyncio.timeout(30):
            values = [(await consumer.getone()).value for _ in range(count)]
        await consumer.commit()
    finally:
        await consumer.stop()
    return values


async def produce(servers: EmbeddedServers, topic: str, values: list[bytes]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=servers.broker.address, acks="all")
    await producer.start()
    try:
        for value in values:
            await producer.send_and_wait(topic, value, key=value)
    finally:
        await producer.stop()


def alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


async def create_topic(servers: EmbeddedServers, topic: str, partitions: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers.broker.address)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, partitions, 1)])
        (described,) = await admin.describe_topics([topic])
        assert len(described["partitions"]) == partitions
    finally:
        await admin.close()


async def test_all_three_serve_only_on_loopback(servers: EmbeddedServers) -> None:
    for server in servers.all:
        assert server.pid is not None
        for connection in psutil.Process(server.pid).net_connections():
            if connection.status == psutil.CONN_LISTEN:
                assert connection.laddr.ip == "127.0.0.1"
                assert connection.laddr.port < 32768


async def test_broker_keeps_messages_and_offsets_over_stop_and_kill(servers: EmbeddedServers) -> None:
    await create_topic(servers, "kept", 4)
    await produce(servers, "kept", [b"1", b"2", b"3"])
    assert sorted(await consume(servers, "kept", "readers", 3)) == [b"1", b"2", b"3"]
    port = servers.broker.port
    await servers.broker.restart()
    await produce(servers, "kept", [b"4"])
    await servers.broker.kill()
    assert not servers.broker.running
    await servers.broker.start()
    assert servers.broker.port == port
    assert await consume(servers, "kept", "readers", 1) == [b"4"]


async def test_documents_survive_stop_and_kill(servers: EmbeddedServers) -> None:
    await insert(servers, "kept", 57)
    await servers.documents.kill()
    await servers.documents.start()
    assert len(await documents(servers, "kept")) == 57
    await servers.documents.restart()
    assert len(await documents(servers, "kept")) == 57


async def test_change_streams_and_transactions(servers: EmbeddedServers) -> None:
    async with AsyncMongoClient(servers.environment()["FRAMELOOM_MONGO_URI"]) as client:
        collection = client["frameloom"]["changes"]
        async with await collection.watch() as changes:
            async with client.start_session() as session, await session.start_transaction():
                await collection.insert_one({"_id": 1}, session=session)
            async with asyncio.timeout(10):
                assert (await changes.next())["operationType"] == "insert"


async def test_threads_of_the_database_are_not_asked_to_make_room(servers: EmbeddedServers) -> None:
    """With WiredTiger's own limits all of them can come to a stand; one it does not know keeps it down."""
    settings = psutil.Process(servers.documents.pid or 0).environ()["WIREDTIGER_CONFIG"]
    limits = dict(part.split("=") for part in settings.split(","))
    assert int(limits["eviction_updates_trigger"]) >= 80
    assert int(limits["eviction_dirty_trigger"]) > int(limits["eviction_updates_trigger"])
    assert await servers.documents.probe()


async def test_objects_survive_stop_and_kill(servers: EmbeddedServers) -> None:
    store = s3(servers)
    store.put_object("frameloom", "a/b", io.BytesIO(b"x" * 6_000_000), 6_000_000)
    await servers.objects.kill()
    await servers.objects.start()
    assert store.get_object("frameloom", "a/b").read() == b"x" * 6_000_000
    await servers.objects.restart()
    assert store.get_object("frameloom", "a/b", offset=3, length=4).read() == b"xxxx"
    await servers.broker.restart()  # it keeps its messages there


async def test_objects_refuse_strangers(servers: EmbeddedServers) -> None:
    address = servers.objects.address
    for store in (
        Minio(address, secure=False, region="us-east-1"),
        Minio(address, access_key="FL0", secret_key="wrong", secure=False, region="us-east-1"),
    ):
        with pytest.raises(S3Error):
            list(store.list_objects("frameloom"))


async def test_secrets_are_private(servers: EmbeddedServers) -> None:
    secret = servers.environment()["FRAMELOOM_S3_SECRET_KEY"]
    path = servers.directory.root / "credentials.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for server in servers.all:
        assert secret not in " ".join(psutil.Process(server.pid).cmdline())


async def test_second_stack_on_the_directory_is_refused(servers: EmbeddedServers) -> None:
    with pytest.raises(DataDirectoryInUseError, match=f"in use by process {os.getpid()}"):
        await EmbeddedServers(servers.directory.root).start()


async def test_restart_over_the_same_folder_has_the_same_addresses(tmp_path: Path) -> None:
    async with EmbeddedServers(tmp_path) as first:
        before = first.environment()
        pids = [server.pid for server in first.all]
        await insert(first, "kept", 3)
        s3(first).put_object("frameloom", "k", io.BytesIO(b"v"), 1)
    assert not any(psutil.pid_exists(pid) for pid in pids if pid)
    async with EmbeddedServers(tmp_path) as second:
        assert second.environment() == before
        assert len(await documents(second, "kept")) == 3
        assert s3(second).get_object("frameloom", "k").read() == b"v"


async def test_server_that_dies_at_start_shows_its_last_lines(tmp_path: Path) -> None:
    embedded = EmbeddedServers(tmp_path)
    embedded.open()
    try:
        with socket.create_server(("127.0.0.1", embedded.documents.port)):
            pass
        (tmp_path / "documents").mkdir()
        (tmp_path / "documents" / "data").write_text("a file where a folder should be")
        with pytest.raises(
            ServerStartError, match=r"documents server ended at start with exit status(.|\n)*Error"
        ):
            await embedded.documents.start()
    finally:
        await embedded.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's signal at a parent's death is Linux only")
async def test_servers_die_with_a_killed_parent_and_come_back(tmp_path: Path) -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "frameloom.local.servers", str(tmp_path), stdout=subprocess.PIPE
    )
    assert parent.stdout is not None
    lines = []
    async with asyncio.timeout(40):
        while (line := await parent.stdout.readline()) not in {b"ready servers\n", b""}:
            lines.append(line.decode())
    assert any(line.startswith("export FRAMELOOM_MONGO_URI=") for line in lines)
    children = psutil.Process(parent.pid).children(recursive=True)
    assert len(children) == 3
    parent.kill()
    await parent.wait()
    async with asyncio.timeout(10):
        while any(alive(child) for child in children):  # noqa: ASYNC110  (a process's end, not ours to wait for)
            await asyncio.sleep(0.02)
    async with EmbeddedServers(tmp_path) as again:
        assert f"export FRAMELOOM_KAFKA_BOOTSTRAP_SERVERS={again.broker.address}\n" in lines


async def test_signal_ends_the_command_in_order(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "frameloom.local.servers", str(tmp_path), stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    async with asyncio.timeout(40):
        while await process.stdout.readline() != b"ready servers\n":
            assert process.returncode is None
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(30):
        assert await process.wait() == 0


def test_ports_are_kept_where_free() -> None:
    first = assign({"a": False, "b": True}, {})
    assert assign({"a": False, "b": True}, first) == first
    with socket.create_server(("127.0.0.1", first["b"] + 10_000)):
        second = assign({"a": False, "b": True}, first)
    assert second["a"] == first["a"]
    assert second["b"] != first["b"]
    assert is_free(first["b"])


def test_lock_names_the_owner_and_is_given_back(tmp_path: Path) -> None:
    first, second = DataDirectory(tmp_path / "new"), DataDirectory(tmp_path / "new")
    first.acquire()
    with pytest.raises(DataDirectoryInUseError) as refused:
        second.acquire()
    assert refused.value.detail == {"pid": os.getpid()}
    first.release()
    second.acquire()
    assert second.credentials() == second.credentials()
    second.release()
