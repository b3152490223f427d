"""Child processes and the supervisor, with real children."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import subprocess
import sys
from collections import deque
from pathlib import Path

import psutil
import pytest

from frameloom.local.output import TerminalSink, pump
from frameloom.local.process import ChildProcess, describe_exit
from frameloom.local.supervisor import GaveUpError, RestartPolicy, Service, Supervisor

WAIT = "import signal,time; print('up', flush=True); signal.pause()"
STUBBORN = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
while True: signal.pause()
"""
WITH_A_CHILD = f"""
import subprocess, sys
print(subprocess.Popen([sys.executable, "-c", {STUBBORN!r}]).pid, flush=True)
{STUBBORN}
"""
POLITE = """
import signal
def end(*_):
    print("bye", flush=True)
    raise SystemExit
signal.signal(signal.SIGTERM, end)
print("up", flush=True)
signal.pause()
"""
FAST = RestartPolicy(crashes=3, window_seconds=30, first_backoff_seconds=0.02)


class Lines:
    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []
        self._changed = asyncio.Event()

    def write(self, name: str, line: str) -> None:
        self.lines.append((name, line))
        self._changed.set()

    async def until(self, name: str, text: str, times: int = 1) -> None:
        async with asyncio.timeout(20):
            while sum(n == name and text in line for n, line in self.lines) < times:
                self._changed.clear()
                await self._changed.wait()


def service(name: str, code: str, lines: Lines, grace: float = 5.0) -> Service:
    return Service(
        name, [sys.executable, "-c", code], environment=os.environ, sink=lines, grace_seconds=grace
    )


async def gone(pid: int) -> None:
    async with asyncio.timeout(10):
        while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_child_has_a_session_of_its_own() -> None:
    child = await ChildProcess.spawn([sys.executable, "-c", WAIT], env=os.environ)
    assert child.output is not None
    assert await child.output.readline() == b"up\n"
    assert os.getsid(child.pid) == child.pid
    assert await child.stop(5) == -signal.SIGTERM


async def test_stop_kills_what_does_not_end_and_its_children() -> None:
    child = await ChildProcess.spawn([sys.executable, "-c", WITH_A_CHILD], env=os.environ)
    assert child.output is not None
    grandchild = int(await child.output.readline())
    for _ in range(2):
        assert await child.output.readline() == b"up\n"
    assert await child.stop(0.2) == -signal.SIGKILL
    await gone(grandchild)


async def test_missing_command_says_so() -> None:
    child = await ChildProcess.spawn(["/no/such/program"], env=os.environ)
    assert child.output is not None
    assert b"can not run /no/such/program" in await child.output.read()
    assert await child.wait() == 127


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's signal at a parent's death is Linux only")
async def test_child_dies_with_a_killed_parent() -> None:
    code = f"""
import asyncio, os, sys
from frameloom.local.process import ChildProcess
async def main():
    child = await ChildProcess.spawn([sys.executable, "-c", {WAIT!r}], env=os.environ)
    await child.output.readline()
    print(child.pid, flush=True)
    await child.wait()
asyncio.run(main())
"""
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    child = int(await parent.stdout.readline())
    assert psutil.pid_exists(child)
    parent.kill()
    await parent.wait()
    await gone(child)


def test_exit_status_in_words() -> None:
    assert describe_exit(3) == "exit status 3"
    assert describe_exit(-9) == "SIGKILL"


async def test_pump_cuts_long_lines_and_keeps_the_last() -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(b"one\r\n" + b"x" * 200_000 + b"\nlast")
    reader.feed_eof()
    taken: list[str] = []
    last: deque[str] = deque(maxlen=1)
    await pump(reader, taken.append, last)
    assert taken[0] == "one"
    assert "".join(taken[1:-1]) == "x" * 200_000
    assert max(map(len, taken)) <= 100_000
    assert list(last) == ["last"]


def test_terminal_sink_is_plain_unless_a_terminal() -> None:
    plain, coloured = io.StringIO(), io.StringIO()
    TerminalSink(plain).write("gateway", "hello")
    TerminalSink(coloured, colour=True).write("gateway", "hello")
    assert plain.getvalue() == "gateway    | hello\n"
    assert coloured.getvalue().startswith("\x1b[")


async def test_crashed_service_is_started_again() -> None:
    lines = Lines()
    supervisor = Supervisor(lines, FAST)
    unit = service("worker", WAIT, lines)
    await unit.start()
    supervisor.keep(unit, layer=1)
    await lines.until("worker", "up")
    first = unit.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await lines.until("worker", "up", times=2)
    assert unit.pid not in {first, None}
    assert ("stack", "worker ended with SIGKILL; starting it again in 0.0 s") in lines.lines
    await supervisor.stop()
    assert unit.pid is None


async def test_gives_up_with_the_reason_and_the_last_lines() -> None:
    lines = Lines()
    supervisor = Supervisor(lines, FAST)
    unit = service("results", "import sys; print('no database'); sys.exit(3)", lines)
    await unit.start()
    supervisor.keep(unit, layer=1)
    async with asyncio.timeout(20):
        with pytest.raises(GaveUpError, match=r"results ended with exit status 3, 3 times(.|\n)*no database"):
            await supervisor.failed()
    await supervisor.stop()


async def test_stops_the_higher_layer_first(tmp_path: Path) -> None:
    lines = Lines()
    supervisor = Supervisor(lines, FAST)
    for layer, name in enumerate(("database", "gateway")):
        unit = service(name, POLITE, lines)
        await unit.start()
        supervisor.keep(unit, layer=layer)
        await lines.until(name, "up")
    await supervisor.stop()
    assert [name for name, line in lines.lines if line == "bye"] == ["gateway", "database"]


async def test_restart_of_a_layer_is_no_crash() -> None:
    lines = Lines()
    supervisor = Supervisor(lines, FAST)
    unit = service("worker", WAIT, lines)
    await unit.start()
    supervisor.keep(unit, layer=2)
    for times in range(2, 7):
        await lines.until("worker", "up", times=times - 1)
        await supervisor.restart(2)
    await lines.until("worker", "up", times=6)
    assert not any(name == "stack" for name, _ in lines.lines)
    await supervisor.stop()
