"""The probe in its own process: what it sees, what ends it, and what it is shut out of."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest
from gateway_kit import MP4, soon, tiny_video

from frameloom.gateway.errors import ProbeUnavailableError
from frameloom.gateway.probe import nursery
from frameloom.gateway.probe.prober import Examined, ProcessLimits, ProcessProber
from frameloom.gateway.probe.reasons import Reason, Refused
from frameloom.gateway.probe.rules import ProbeLimits

LIMITS = ProbeLimits(
    duration_seconds=3600, pixels=10**8, fps=1000, streams=32, bit_depth=16, read_bytes=10 * 1024**2
)
PROCESS = ProcessLimits(timeout_seconds=20, cpu_seconds=10, memory_bytes=512 * 1024**2, at_once=4)
INDEX = MP4[MP4.index(b"moov") - 4 :]
ZYGOTE = "frameloom.gateway.probe.zygote"


@pytest.fixture(scope="module")
async def prober() -> AsyncIterator[ProcessProber]:
    async with ProcessProber.running(LIMITS, PROCESS) as made:
        yield made


def media(body: bytes, demuxer: str = "mov", before: Callable[[], None] = lambda: None) -> Examined:
    async def read(offset: int, length: int) -> bytes:
        before()
        return body[offset : offset + length]

    return Examined(demuxer, len(body), read)


def children() -> list[psutil.Process]:
    """Those that look at uploads, of every prober of this process."""
    zygotes = [one for one in psutil.Process().children() if ZYGOTE in one.cmdline()]
    return [child for one in zygotes for forking in one.children() for child in forking.children()]


def signalled(number: int) -> Callable[[], None]:
    def send() -> None:
        for child in children():
            os.kill(child.pid, number)

    return send


async def reason_of(prober: ProcessProber, examined: Examined) -> Reason:
    with pytest.raises(Refused) as caught:
        await prober.probe(examined)
    return caught.value.reason


async def test_it_tells_what_is_in_a_file(prober: ProcessProber) -> None:
    facts = await prober.probe(media(MP4))
    assert (facts.container, facts.video_codec, facts.width, facts.height) == ("mov", "mpeg4", 64, 48)
    assert facts.has_video
    assert not facts.has_audio
    assert facts.duration_seconds == pytest.approx(0.2)
    assert facts.fps == pytest.approx(25)


async def test_many_at_once(prober: ProcessProber) -> None:
    found = await asyncio.gather(*(prober.probe(media(MP4)) for _ in range(20)))
    assert {facts.video_codec for facts in found} == {"mpeg4"}


async def test_of_a_large_file_only_what_is_needed_is_read(prober: ProcessProber) -> None:
    """The index stands behind a gigabyte of nothing."""
    at = MP4.index(b"moov") - 4
    hole = 1024**3
    first, last = MP4[:at] + (hole + 8).to_bytes(4) + b"free", MP4[at:]
    asked = 0

    async def read(offset: int, length: int) -> bytes:
        nonlocal asked
        asked += length
        start = first[offset : offset + length]
        behind = offset - len(first) - hole
        end = last[max(0, behind) : max(0, behind + length)]
        return start + bytes(length - len(start) - len(end)) + end

    facts = await prober.probe(Examined("mov", len(first) + hole + len(last), read))
    assert facts.has_video
    assert asked < 2 * 1024**2


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (MP4[: MP4.index(b"moov") - 4], Reason.NO_INDEX),
        (MP4[: MP4.index(b"moov") + 100], Reason.NO_INDEX),
        (MP4[: MP4.index(b"mdat") + 4].ljust(MP4.index(b"moov") - 4, b"\0") + INDEX, Reason.UNDECODABLE),
        (b"\0\0\0\x18ftypisom" + bytes(12) + os.urandom(5000), Reason.NO_INDEX),
    ],
)
async def test_what_can_not_be_read_is_refused(prober: ProcessProber, body: bytes, reason: Reason) -> None:
    assert await reason_of(prober, media(body)) == reason


async def test_reading_has_a_limit(prober: ProcessProber) -> None:
    """A transport stream of nothing: the library would look through all of it."""
    packet = b"G\x1f\xff\x10" + bytes(184)
    assert await reason_of(prober, media(packet * 100_000, "mpegts")) in {Reason.READS, Reason.DAMAGED}


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (signal.SIGSEGV, Reason.CRASHED),
        (signal.SIGABRT, Reason.CRASHED),
        (signal.SIGKILL, Reason.MEMORY),
        (signal.SIGXCPU, Reason.TIME),
    ],
)
async def test_a_child_that_dies_is_a_refusal(number: int, reason: Reason) -> None:
    async with ProcessProber.running(LIMITS, PROCESS) as prober:
        assert await reason_of(prober, media(MP4, before=signalled(number))) == reason
        assert (await prober.probe(media(MP4))).has_video


async def test_a_child_that_takes_too_long_is_ended() -> None:
    limits = ProcessLimits(timeout_seconds=0.3, cpu_seconds=10, memory_bytes=512 * 1024**2, at_once=1)
    async with ProcessProber.running(LIMITS, limits) as prober:
        before = {child.pid for child in children()}
        assert await reason_of(prober, media(MP4, before=signalled(signal.SIGSTOP))) == Reason.TIME
        await soon(lambda: before.isdisjoint(child.pid for child in children()))


async def test_the_time_of_the_store_is_not_the_childs() -> None:
    limits = ProcessLimits(timeout_seconds=2.0, cpu_seconds=10, memory_bytes=512 * 1024**2, at_once=1)

    async def slow(offset: int, length: int) -> bytes:
        await asyncio.sleep(2.5)
        return MP4[offset : offset + length]

    async with ProcessProber.running(LIMITS, limits) as prober:
        assert (await prober.probe(Examined("mov", len(MP4), slow))).has_video


async def test_what_the_store_raises_passes_through(prober: ProcessProber) -> None:
    async def away(_: int, __: int) -> bytes:
        raise ConnectionAbortedError("of the store")

    with pytest.raises(ConnectionAbortedError, match="of the store"):
        await prober.probe(Examined("mov", len(MP4), away))
    assert (await prober.probe(media(MP4))).has_video


async def test_memory_has_a_limit() -> None:
    """A picture that the limits of the media let through, in a process that may not hold it."""
    limits = ProcessLimits(timeout_seconds=20, cpu_seconds=10, memory_bytes=8 * 1024**2, at_once=1)
    async with ProcessProber.running(LIMITS, limits) as prober:
        assert await reason_of(prober, media(tiny_video(frames=1, size=(4000, 3000)))) == Reason.MEMORY
        assert (await prober.probe(media(MP4))).has_video


@pytest.mark.parametrize("whom", ["the one that forks", "the one that waits"])
async def test_it_starts_again_when_its_process_is_gone(whom: str) -> None:
    async with ProcessProber.running(LIMITS, PROCESS) as prober:
        assert prober._zygote is not None
        zygote = psutil.Process(prober._zygote._process.pid)
        target = zygote.children()[0] if whom == "the one that forks" else zygote
        os.kill(target.pid, signal.SIGKILL)
        await soon(lambda: prober._zygote is None or prober._zygote.lost)
        assert (await prober.probe(media(MP4))).has_video


async def test_a_process_that_does_not_start_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nursery.sys, "executable", "/bin/false")
    with pytest.raises(ProbeUnavailableError):
        async with ProcessProber.running(LIMITS, PROCESS):
            pass


async def test_nothing_is_left_running() -> None:
    async with ProcessProber.running(LIMITS, PROCESS) as prober:
        await prober.probe(media(MP4))
        family = psutil.Process(prober._zygote._process.pid).children(recursive=True)  # type: ignore[union-attr]
        assert family
    await soon(lambda: not any(one.is_running() and one.status() != "zombie" for one in family))


JAILED = """
import json, os, socket, sys
from frameloom.gateway.probe import jail

tried = {}
def attempt(name, call):
    try:
        call()
        tried[name] = "possible"
    except BaseException as error:
        tried[name] = type(error).__name__

secluded = sys.argv[1] == "everything" and jail.enter_namespaces()
if os.fork():
    os.wait()
    os._exit(0)
calls = None if sys.argv[1] == "limits alone" else jail.call_filter()
mapped = jail.address_space_bytes()
before = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
if secluded:
    jail.leave_files()
    attempt("host files", lambda: os.stat("/etc/passwd"))
    attempt("loopback", lambda: before.connect(("127.0.0.1", int(sys.argv[2]))))
    attempt("parent", lambda: os.kill(int(sys.argv[3]), 0))
jail.lock(jail.Allowance(memory_bytes=64 * 1024**2, cpu_seconds=5), mapped, calls)
attempt("open", lambda: os.open("/", os.O_RDONLY))
attempt("socket", lambda: socket.socket())
attempt("connect", lambda: before.connect(("127.0.0.1", int(sys.argv[2]))))
attempt("pipe", lambda: os.pipe())
attempt("memory", lambda: bytearray(256 * 1024**2))
if calls is not None:
    attempt("fork", lambda: os.fork())
    attempt("kill", lambda: os.kill(os.getppid(), 0))
    attempt("exec", lambda: os.execv("/bin/true", ["true"]))
os.write(1, json.dumps([secluded, calls is not None, tried]).encode())
"""


@pytest.mark.parametrize("mode", ["everything", "no namespaces", "limits alone"])
def test_a_jailed_process_can_do_nothing(mode: str, tmp_path: Path) -> None:
    script = tmp_path / "jailed.py"
    script.write_text(JAILED)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        done = subprocess.run(
            [sys.executable, str(script), mode, str(port), str(os.getpid())],
            capture_output=True,
            check=True,
            timeout=60,
        )
    secluded, filtered, tried = json.loads(done.stdout)
    if not secluded and not filtered:
        tried.pop("connect")  # limits take away no socket that is open already: the real child has none
    assert {"open", "socket", "pipe", "memory"} <= set(tried)
    assert "possible" not in tried.values(), tried
