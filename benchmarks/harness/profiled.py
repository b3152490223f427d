"""Runs a service under a profiler that is switched on and off from outside.

Started by path: ``python profiled.py OUT MODULE``. SIGUSR1 begins the profile, SIGUSR2 ends it and writes
OUT. Only the main thread is seen, which is where the event loop is.
"""

from __future__ import annotations

import cProfile
import runpy
import signal
import sys
from pathlib import Path


def main() -> None:
    """Becomes the module, with the two signals installed."""
    out, module = Path(sys.argv[1]), sys.argv[2]
    profile = cProfile.Profile()

    def begin(*_: object) -> None:
        profile.enable()

    def end(*_: object) -> None:
        profile.disable()
        partial = out.with_suffix(".new")
        profile.dump_stats(partial)
        partial.replace(out)

    signal.signal(signal.SIGUSR1, begin)
    signal.signal(signal.SIGUSR2, end)
    sys.argv = [module]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
