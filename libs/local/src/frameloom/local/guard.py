"""Runs a command so that it ends when its parent does, even when the parent is killed outright.

Started by path as ``python -I -S guard.py PARENT_PID COMMAND...``: it asks the kernel for SIGKILL at the
parent's death and then becomes the command. A function run between fork and exec would save this
interpreter (about 20 ms), but may deadlock in a process that has threads. The kernel watches the *thread*
that started the child, not the whole process: the thread of the event loop must outlive the children.
Only Linux has this; elsewhere the command just runs.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """Asks for SIGKILL when the parent ends, and ends at once if it already has."""
    if not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) was refused")
    if os.getppid() != parent:  # it died before the request: no signal would ever come
        os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Guards and becomes the command named on the command line."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    die_with_parent(parent)
    try:
        os.execvp(command[0], command)  # noqa: S606  (no shell is the point)
    except OSError as error:
        sys.stderr.write(f"can not run {command[0]}: {error}\n")
        sys.exit(127)


if __name__ == "__main__":
    main()
