"""How long a cancel or a deletion takes, from the request until the process that computes is gone.

A job runs alone in one worker; its pipeline never ends by itself. Once it is at work the request is sent.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
from harness import report, stack
from harness.client import BenchmarkError, Client
from harness.machine import Machine
from harness.media import tiny_clip, unique

from frameloom.common.adapters.s3 import S3ObjectStore
from frameloom.common.settings import S3Settings
from frameloom.local.up import Stack

_PATIENCE_SECONDS = 60.0
_LOOK_SECONDS = 0.001
_KINDS = (
    ("cancel, computing in Python", "busy", "cancel"),
    ("cancel, stuck in native code", "stuck", "cancel"),
    ("delete, computing in Python", "busy", "delete"),
)


@dataclass(frozen=True, slots=True)
class Ended:
    """One request, in seconds from when it was sent."""

    answered: float
    gone: float
    swept: float | None
    """Until nothing of the job was left in the bucket; of a deletion only."""


def main() -> int:
    """Runs the benchmark."""
    parser = report.arguments(__doc__)
    parser.add_argument("--times", type=int, default=15, help="how often each is measured")
    return stack.run(_measured(parser.parse_args()))


async def _measured(options: argparse.Namespace) -> None:
    machine = Machine.here()
    print(machine.line())
    async with stack.folder(options.temp) as folder:
        video = tiny_clip(folder / "tiny.mp4").read_bytes()
        path = os.pathsep.join(filter(None, (str(Path(__file__).parent), os.environ.get("PYTHONPATH"))))
        environment = {
            "FRAMELOOM_WORKER_EXTRA_PIPELINES": "harness.endless:Busy,harness.endless:Stuck",
            "PYTHONPATH": path,
        }
        async with (
            stack.running(folder / "data", environment=environment) as running,
            Client.connected(running.base_url, running.api_key) as client,
            S3ObjectStore.connected(_bucket(running)) as objects,
        ):
            bench = Bench(client, objects, video, folder)
            await bench.once("busy", "cancel")  # first uses of everything
            found = {
                title: [await bench.once(pipeline, way) for _ in range(options.times)]
                for title, pipeline, way in _KINDS
            }
    report.table(
        f"Milliseconds from the request; medians of {options.times}, and the longest",
        ["", "answered", "process gone", "longest", "bucket empty", "longest"],
        [
            [title, *_spread([e.answered for e in ended])[:1], *_spread([e.gone for e in ended]),
             *_spread([e.swept for e in ended if e.swept is not None])]
            for title, ended in found.items()
        ],
    )  # fmt: skip
    raw = {title: [[e.answered, e.gone, e.swept] for e in ended] for title, ended in found.items()}
    report.write_json(options.json, {"machine": machine.raw(), "options": vars(options), "seconds": raw})


class Bench:
    """Runs one job after the other and ends each."""

    def __init__(self, client: Client, objects: S3ObjectStore, video: bytes, folder: Path) -> None:
        self._client = client
        self._objects = objects
        self._video = video
        self._folder = folder
        self._count = 0

    async def once(self, pipeline: str, way: str) -> Ended:
        """Sends a job, waits until it is at work, and ends it."""
        self._count += 1
        file = self._folder / f"at-work-{self._count}"
        job = await self._client.submit(unique(self._video), pipeline, config={pipeline: {"file": str(file)}})
        await _until(file.exists, "a job did not start")
        child = int(file.read_text())
        await asyncio.sleep(0.2 + 0.1 * (self._count % 10))  # at any moment between two renewals
        began = time.perf_counter()
        asking = asyncio.create_task(self._ask(way, job.id, began))
        await _until(lambda: not psutil.pid_exists(child), "a process did not end")
        gone = time.perf_counter() - began
        answered = await asking
        return Ended(answered, gone, await self._swept(job.id, began) if way == "delete" else None)

    async def _ask(self, way: str, job_id: str, began: float) -> float:
        ask: Callable[[str], Awaitable[None]] = getattr(self._client, way)
        await ask(job_id)
        return time.perf_counter() - began

    async def _swept(self, job_id: str, began: float) -> float:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while any(f"/{job_id}/" in key for key in await self._objects.keys("")):  # noqa: ASYNC110 - a store
                await asyncio.sleep(0.02)
        return time.perf_counter() - began


async def _until(holds: Callable[[], bool], failure: str) -> None:
    """Looks often, since files and processes tell nobody."""
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while not holds():  # noqa: ASYNC110 - see above
                await asyncio.sleep(_LOOK_SECONDS)
    except TimeoutError:
        raise BenchmarkError(f"{failure} within {_PATIENCE_SECONDS:g} s") from None


def _bucket(running: Stack) -> S3Settings:
    prefix = "FRAMELOOM_S3_"
    found = running.servers.environment()
    return S3Settings.model_validate(
        {name.removeprefix(prefix).lower(): value for name, value in found.items() if name.startswith(prefix)}
    )


def _spread(seconds: list[float]) -> list[report.Cell]:
    return [1000 * report.median(seconds), 1000 * max(seconds)] if seconds else [None, None]


if __name__ == "__main__":
    sys.exit(main())
