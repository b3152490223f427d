"""Entry point: ``frameloom-worker``."""

from __future__ import annotations

import argparse
import os

from frameloom.common.documents import Service
from frameloom.common.service import run
from frameloom.worker.app import main as worker


def main() -> None:
    """Runs the worker. ``--pipelines`` and ``--slots`` go before their environment variables."""
    parser = argparse.ArgumentParser(prog="frameloom-worker", description="Runs pipelines over media.")
    parser.add_argument("--pipelines", help="names, separated by commas; default: all that are installed")
    parser.add_argument("--slots", type=int, help="how many tasks run at once")
    options = parser.parse_args()
    for name in ("pipelines", "slots"):
        if (value := getattr(options, name)) is not None:
            os.environ[f"FRAMELOOM_WORKER_{name.upper()}"] = str(value)
    run(Service.WORKER, worker)


if __name__ == "__main__":
    main()
