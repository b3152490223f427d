"""The process that has the media library loaded, and forks a child for each upload.

    python -m frameloom.gateway.probe.zygote SOCKET MEMORY_BYTES CPU_SECONDS

It does nothing else, and ends with the gateway. It takes orders from the socket, one with the socket of a new
child, and tells how children ended. Its first message says what they are shut out of.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import selectors
import signal
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from types import ModuleType
from typing import Any, NoReturn

import av
import av.logging

from frameloom.gateway.probe import jail
from frameloom.gateway.probe.examination import examined
from frameloom.gateway.probe.ranges import RangeFile
from frameloom.gateway.probe.reasons import Reason, Refused
from frameloom.gateway.probe.rules import ProbeLimits
from frameloom.gateway.probe.wire import (
    ENDED,
    GREETING,
    MAX_RANGE_BYTES,
    ORDER,
    Channel,
    Job,
    Kind,
    Order,
)


@dataclass(frozen=True, slots=True)
class _Jail:
    allowance: jail.Allowance
    mapped_bytes: int
    calls: Any
    sample: bytes
    """A tiny video, to rehearse on."""
    nowhere: int
    """A descriptor of the null device, for what libraries write to the standard error."""


def main(arguments: list[str]) -> NoReturn:
    """Forks children until the gateway goes."""
    control = socket.socket(fileno=int(arguments[0]))
    allowance = jail.Allowance(memory_bytes=int(arguments[1]), cpu_seconds=int(arguments[2]))
    _ignore_signals()
    secluded = jail.enter_namespaces()
    # Namespaces of processes begin with the next one; the one before it only waits for its end.
    first = os.fork()
    if first:
        control.close()
        _, status = os.waitpid(first, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
    jail.die_with_parent()
    av.logging.set_level(None)
    _import_all(av)
    sample = _tiny_video()
    _warm(sample)
    made = _Jail(
        allowance=allowance,
        mapped_bytes=jail.address_space_bytes(),
        calls=jail.call_filter(),
        sample=sample,
        nowhere=os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC),
    )
    if secluded:
        jail.leave_files()
    gc.freeze()
    control.sendall(GREETING.pack(secluded, made.calls is not None))
    _serve(control, made)


def _ignore_signals() -> None:
    """A Ctrl-C in a terminal is the gateway's: it ends us when it has finished."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _warm(sample: bytes) -> None:
    """Runs what every child will run, so that nothing has to be found in a jail."""
    limits = ProbeLimits(duration_seconds=9, pixels=9999, fps=99, streams=9, bit_depth=9, read_bytes=9999)
    for content in (sample,):
        file = RangeFile(lambda at, size, of=content: of[at : at + size], len(content), 9999, 9999)  # type: ignore[misc]
        with suppress(Refused):
            json.dumps(examined(file, len(content), "mov", limits).model_dump())


def _import_all(package: ModuleType) -> None:
    """A library may import a part of itself when a file first needs it: in a jail it could not."""
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)


def _tiny_video() -> bytes:
    """One picture of 16 by 16 pixels."""
    file = BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 16, 16, "yuv420p"
        container.mux(stream.encode(av.VideoFrame(16, 16, "yuv420p")))
        container.mux(stream.encode(None))
    return file.getvalue()


def _serve(control: socket.socket, made: _Jail) -> NoReturn:
    children: dict[int, int] = {}
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(woken, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    selector = selectors.DefaultSelector()
    selector.register(control, selectors.EVENT_READ)
    selector.register(woken, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fd == woken:
                with suppress(BlockingIOError):
                    os.read(woken, 512)
            elif not _obey(control, children, made, (woken, wake, selector)):
                for pid in children:
                    os.kill(pid, signal.SIGKILL)
                os._exit(0)
        _bury(control, children)


def _obey(control: socket.socket, children: dict[int, int], made: _Jail, own: tuple[Any, ...]) -> bool:
    """Does what is asked; False when nobody asks any more."""
    message, fds, _, _ = socket.recv_fds(control, ORDER.size, 1)
    if len(message) < ORDER.size:
        return False
    order, number = ORDER.unpack(message)
    if order == Order.START and fds:
        pid = os.fork()
        if pid == 0:
            _become_child(control, fds[0], made, own)
        children[pid] = number
        os.close(fds[0])
    elif order == Order.KILL:
        for pid, known in children.items():
            if known == number:
                os.kill(pid, signal.SIGKILL)
    return True


def _bury(control: socket.socket, children: dict[int, int]) -> None:
    with suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            if (number := children.pop(pid, None)) is not None:
                with suppress(OSError):  # the gateway has gone: its socket says so next
                    control.sendall(ENDED.pack(number, os.waitstatus_to_exitcode(status)))


def _become_child(control: socket.socket, fd: int, made: _Jail, own: tuple[Any, ...]) -> NoReturn:
    """Never returns: whatever goes wrong here must not go on as a second zygote."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        jail.die_with_parent()
        control.close()
        woken, wake, selector = own
        selector.close()
        os.close(woken)
        os.close(wake)
        os.dup2(made.nowhere, 2)
        _look(Channel(fd), made)
        code = 0
    finally:
        os._exit(code)


def _look(channel: Channel, made: _Jail) -> None:
    jail.lock(made.allowance, made.mapped_bytes, made.calls)
    _warm(made.sample)  # pages shared with the zygote are copied now, while nobody waits
    _, payload = channel.receive()
    job = Job.model_validate_json(payload)
    limits = job.probe_limits()
    file = RangeFile(channel.fetch, job.size_bytes, limits.read_bytes, MAX_RANGE_BYTES)
    try:
        facts = examined(file, job.size_bytes, job.demuxer, limits)
        verdict: dict[str, Any] = {"media": facts.model_dump()}
    except Refused as refused:
        verdict = _told(file.refused or refused)
    except MemoryError:
        verdict = _told(Refused(Reason.MEMORY))
    except Exception as error:  # noqa: BLE001 - of our own making; the gateway's log tells its name
        verdict = _told(Refused(Reason.CRASHED, error=f"{type(error).__name__}: {error}"[:200]))
    if file.refused is not None:
        verdict = _told(file.refused)
    channel.send(Kind.VERDICT, json.dumps(verdict).encode())


def _told(refused: Refused) -> dict[str, Any]:
    return {"reason": refused.reason.value, "facts": refused.facts}


if __name__ == "__main__":
    main(sys.argv[1:])
