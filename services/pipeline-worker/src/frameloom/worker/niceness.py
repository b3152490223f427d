"""How a child process yields the processor to others of its machine."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_AUTOGROUP = Path("/proc/self/autogroup")


def yield_to_others(nice: int) -> None:
    """Lowers the priority of this process and of all that it starts; 0 leaves it as it is.

    Linux may weigh sessions against each other first, and processes only inside of theirs. A child process of
    the worker leads a session of its own, so that is made nicer too.

    Args:
        nice: 0 to 19; to be called once, before there are threads.
    """
    if nice == 0:
        return
    os.nice(nice)
    with suppress(OSError):  # not Linux, or without autogroups, or not allowed: then what was done is all
        _AUTOGROUP.write_text(str(nice), encoding="ascii")
