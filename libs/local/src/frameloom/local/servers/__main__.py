"""``python -m frameloom.local.servers DATA_DIR``: the three servers until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from frameloom.common.errors import FrameloomError
from frameloom.local.servers import EmbeddedServers
from frameloom.local.servers.export import export_lines


async def serve(data_dir: Path, storage: str) -> None:
    """Runs the servers and prints how to reach them."""
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, asked.set)
    async with EmbeddedServers(data_dir, broker_storage="memory" if storage == "memory" else "s3") as servers:
        sys.stdout.write(export_lines(servers.environment()) + "ready servers\n")
        sys.stdout.flush()
        await asked.wait()


def main() -> int:
    """Reads the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m frameloom.local.servers", description=__doc__)
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--broker-storage", choices=["memory", "s3"], default="memory")
    options = parser.parse_args()
    try:
        asyncio.run(serve(options.data_dir, options.broker_storage))
    except FrameloomError as error:
        sys.stderr.write(f"{error.message}\n{error.hint or ''}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
