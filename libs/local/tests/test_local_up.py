"""``up``: real servers, and small real processes in place of the services."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from frameloom.local.access import LocalAccess
from frameloom.local.errors import EmbeddedStackError, PortInUseError
from frameloom.local.health import SERVICES, missing_services
from frameloom.local.servers.directory import DataDirectory
from frameloom.local.supervisor import GaveUpError, RestartPolicy
from frameloom.local.up import Stack, UpOptions, up

FAKE = str(Path(__file__).with_name("local_fake_services.py"))
COMMANDS = {name: (sys.executable, FAKE, name) for name in SERVICES}


def options(tmp_path: Path, **changes: object) -> UpOptions:
    values: dict[str, object] = {
        "data": tmp_path / "data",
        "port": 0,
        "quiet": True,
        "commands": COMMANDS,
        "environment": {"HEARTBEATS": str(tmp_path / "beats")},
        "restart": RestartPolicy(crashes=3, first_backoff_seconds=0.05),
        **changes,
    }
    return UpOptions(**values)  # type: ignore[arg-type]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_stack_is_ready_and_leaves_nothing(tmp_path: Path) -> None:
    async with Stack(options(tmp_path, workers=2)) as stack:
        pids = stack.pids
        assert set(pids) == {
            "documents",
            "objects",
            "broker",
            "gateway",
            "scheduler",
            "worker-1",
            "worker-2",
            "results",
        }
        assert all(pids.values())
        worker = psutil.Process(pids["worker-1"] or 0).environ()
        assert worker["FRAMELOOM_WORKER_NICE"] == os.environ.get("FRAMELOOM_WORKER_NICE", "10")
        assert stack.base_url.startswith("http://127.0.0.1:")
        key = tmp_path / "data" / "api-key"
        assert key.read_text() == f"{stack.api_key}\n"
        assert (tmp_path / "data" / "address").read_text() == f"{stack.base_url}\n"
        assert re.fullmatch(r"va_[A-Za-z0-9_-]{43}", stack.api_key)
        for kept in (key, tmp_path / "data" / "auth-secret"):
            assert kept.stat().st_mode & 0o777 == 0o600
    assert not any(psutil.pid_exists(pid) for pid in pids.values() if pid)
    assert all((tmp_path / "beats" / f"{name}.ended").exists() for name in SERVICES)
    assert "scheduler  | scheduler is up" in (tmp_path / "data" / "logs" / "stack.log").read_text()


def test_the_key_and_the_secret_of_a_stack_stay_the_same(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    first = LocalAccess.of(directory, {})
    again = LocalAccess.of(directory, {})
    assert first.fresh
    assert first.api_key in first.first_words()
    assert (again.fresh, again.first_words()) == (False, "")
    assert first.environment() == again.environment()


def test_a_key_of_the_users_own_is_kept_for_clients(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    given = {"FRAMELOOM_AUTH_INITIAL_KEY": "va_" + "x" * 43, "FRAMELOOM_AUTH_SECRET": "s" * 40}
    assert LocalAccess.of(directory, given).environment() == given
    assert (tmp_path / "api-key").read_text().strip() == given["FRAMELOOM_AUTH_INITIAL_KEY"]


def test_a_key_that_can_not_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "api-key").mkdir()
    with pytest.raises(EmbeddedStackError, match="api-key can not be read"):
        LocalAccess.of(DataDirectory(tmp_path), {})


async def test_killed_parts_come_back(tmp_path: Path) -> None:
    async with Stack(options(tmp_path)) as stack:
        before = stack.pids
        os.kill(before["worker"] or 0, signal.SIGKILL)
        os.kill(before["documents"] or 0, signal.SIGKILL)
        await until(lambda: stack.pids["worker"] not in {None, before["worker"]})
        await until(lambda: stack.pids["documents"] not in {None, before["documents"]})
        assert stack.pids["gateway"] == before["gateway"]
        # A broker with its topics in memory has lost them: the services have to make them again.
        os.kill(before["broker"] or 0, signal.SIGKILL)
        await until(
            lambda: all(stack.pids[name] not in {None, before[name]} for name in (*SERVICES, "broker"))
        )


async def test_stack_ends_when_a_service_can_not_be_kept(tmp_path: Path) -> None:
    commands = {**COMMANDS, "results": (sys.executable, "-c", "raise SystemExit('no disk')")}
    with pytest.raises(GaveUpError, match=r"results ended with exit status 1, 3 times(.|\n)*no disk"):
        async with Stack(options(tmp_path, commands=commands)):
            pass


async def test_port_in_use_is_one_clear_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortInUseError, match=f"Port {port} on 127.0.0.1"):
            await Stack(options(tmp_path, port=port)).start()
        stderr = io.StringIO()
        assert await up(options(tmp_path, port=port), stderr=stderr) == 1
    assert stderr.getvalue().startswith(
        f"error: Port {port} on 127.0.0.1 can not be listened on: it is in use\nhint: Stop"
    )


SCRIPT = """
import sys
sys.path.insert(0, {folder!r})
from pathlib import Path
from test_local_up import options
from frameloom.local.up import run_up
sys.exit(run_up(options(Path({tmp!r}), only_servers={only})))
"""


async def start_up(tmp_path: Path, *, only: bool) -> asyncio.subprocess.Process:
    code = SCRIPT.format(folder=str(Path(__file__).parent), tmp=str(tmp_path), only=only)
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_up_prints_one_line_and_ends_on_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    process = await start_up(tmp_path, only=False)
    assert process.stdout is not None
    async with asyncio.timeout(60):
        assert (await process.stdout.readline()).startswith(b"ready http://127.0.0.1:")
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) == 7
    os.killpg(process.pid, number)
    async with asyncio.timeout(40):
        rest, errors = await process.communicate()
    assert (process.returncode, rest) == (0, b"")
    key = (tmp_path / "data" / "api-key").read_text().strip()
    assert f"    {key}\n".encode() in errors
    assert str(tmp_path / "data" / "api-key").encode() in errors
    assert not any(child.is_running() for child in children)


async def test_up_can_be_ended_while_it_starts(tmp_path: Path) -> None:
    process = await start_up(tmp_path, only=False)
    parent = psutil.Process(process.pid)
    await until(lambda: len(parent.children()) >= 5)
    children = parent.children(recursive=True)
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(40):
        rest, _ = await process.communicate()
    assert (process.returncode, rest) == (0, b"")
    assert not any(child.is_running() for child in children)


async def test_only_servers_prints_the_variables(tmp_path: Path) -> None:
    process = await start_up(tmp_path, only=True)
    assert process.stdout is not None
    lines = []
    async with asyncio.timeout(60):
        while (line := await process.stdout.readline()) not in {b"ready servers\n", b""}:
            lines.append(line)
    assert len(lines) >= 11
    key = (tmp_path / "data" / "api-key").read_bytes().strip()
    assert b"export FRAMELOOM_AUTH_INITIAL_KEY=" + key + b"\n" in lines
    assert all(line.startswith(b"export FRAMELOOM_") for line in lines)
    process.send_signal(signal.SIGINT)
    with contextlib.suppress(ProcessLookupError):
        async with asyncio.timeout(30):
            assert await process.wait() == 0


def test_health_report_in_both_shapes() -> None:
    listed = {
        "status": "ok",
        "details": {"services": [{"service": n, "status": "healthy"} for n in SERVICES]},
    }
    mapped = {
        "status": "ok",
        "details": {"services": {n: {"status": "healthy"} for n in SERVICES if n != "worker"}},
    }
    assert missing_services(listed) == []
    assert missing_services(mapped) == ["worker"]
    assert missing_services({}) == list(SERVICES)
    assert missing_services({**listed, "status": "degraded"}) == list(SERVICES)
