"""What a process gives up before it looks at a stranger's file. Each layer that a system has is used.

On Linux, in order of what they hold off: a network namespace without a network, a process namespace in which
nobody else can be seen, an empty root folder, no capabilities; where user namespaces are not allowed (many
container runtimes forbid them) those four are missing. Always: no new privileges, no new file descriptor of
any kind, no new process, limits of memory and processor time. With libseccomp: no system call beyond reading,
writing, memory and the end. Elsewhere only the limits.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import resource
import signal
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_LINUX = sys.platform == "linux"
_CLONE_NEWUSER, _CLONE_NEWNET, _CLONE_NEWPID, _CLONE_NEWIPC = 0x10000000, 0x40000000, 0x20000000, 0x08000000
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_CAPABILITY_VERSION_3 = 0x20080522
_ALLOWED_CALLS = (
    *("read", "write", "readv", "writev", "close", "fstat", "lseek"),
    *("mmap", "munmap", "mremap", "mprotect", "madvise", "brk"),
    *("futex", "clock_gettime", "clock_nanosleep", "nanosleep", "gettimeofday", "sched_yield"),
    *("sched_getaffinity", "getrandom", "getpid", "gettid", "getrusage"),
    *("rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "restart_syscall"),
    *("exit", "exit_group"),
)


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a child may use.

    Attributes:
        memory_bytes: Address space beyond what the process has already.
        cpu_seconds: Processor time.
    """

    memory_bytes: int
    cpu_seconds: int


def enter_namespaces() -> bool:
    """Leaves network and processes of the host; the next process that is forked is the first of its own.

    Answers whether the system allowed it.
    """
    if not _LINUX:
        return False
    flags = _CLONE_NEWUSER | _CLONE_NEWNET | _CLONE_NEWPID | _CLONE_NEWIPC
    return bool(_libc().unshare(flags) == 0)


def leave_files() -> None:
    """Makes an empty folder, already removed, the root. Only after :func:`enter_namespaces`.

    Where no folder can be made, because all that is mounted is read-only, the root stays: a child can open
    nothing all the same.
    """
    with contextlib.suppress(OSError):
        folder = tempfile.mkdtemp(prefix="frameloom-probe-")
        os.chdir(folder)
        Path(folder).rmdir()
        os.chroot(".")
    _drop_capabilities()


def die_with_parent() -> None:
    """The kernel ends this process when the one that forked it ends."""
    if _LINUX:
        _libc().prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def address_space_bytes() -> int:
    """What this process has mapped by now; 0 where it can not be told."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError):
        return 0
    return pages * resource.getpagesize()


def call_filter() -> Any:
    """A filter of system calls, to be loaded by each child; None without libseccomp."""
    if not _LINUX:
        return None
    try:
        import pyseccomp  # noqa: PLC0415 - not on every system, and it fails without its library
    except (ImportError, RuntimeError, OSError):
        return None
    made = pyseccomp.SyscallFilter(pyseccomp.ERRNO(errno.EPERM))
    for name in _ALLOWED_CALLS:
        with contextlib.suppress(OSError, RuntimeError):  # not every processor has every call
            made.add_rule(pyseccomp.ALLOW, name)
    return made


def lock(allowance: Allowance, mapped_bytes: int, calls: Any) -> None:
    """The last thing before the file is looked at: from here on only what is open already can be used.

    Args:
        allowance: What may be used.
        mapped_bytes: Of :func:`address_space_bytes`, when it could still be asked.
        calls: Of :func:`call_filter`.
    """
    if _LINUX:
        _libc().prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
        _libc().prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_CPU, allowance.cpu_seconds)
    if mapped_bytes:
        _limit(resource.RLIMIT_AS, mapped_bytes + allowance.memory_bytes)
    _limit(resource.RLIMIT_NPROC, 0)
    _limit(resource.RLIMIT_NOFILE, 0)
    if calls is not None:
        calls.load()


def _limit(what: int, value: int) -> None:
    with contextlib.suppress(ValueError, OSError):  # already lower, or not of this system
        resource.setrlimit(what, (value, value))


def _drop_capabilities() -> None:
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    none = (ctypes.c_uint32 * 6)()
    _libc().capset(ctypes.byref(header), ctypes.byref(none))


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
