"""How many requests the gateway answers, beside the reference: health, list, one job, submission.

The list and the single job are asked for over a database that holds so many finished jobs, each as a tiny job
with ``scene_detection`` leaves it. Submissions are measured twice: while scheduler and worker are held, so
that the jobs wait, and while the whole stack works them at once, on the same cores.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from harness import profiling, report, stack
from harness.client import BenchmarkError
from harness.loader import Load, Plan
from harness.machine import Machine, Others
from harness.media import tiny_clip, unique
from harness.past import finished
from harness.published import PUBLISHED, REFERENCE

from frameloom.common.adapters.mongo import Mongo, MongoJobStore
from frameloom.common.settings import MongoSettings
from frameloom.local.servers import EmbeddedServers
from frameloom.local.up import Stack

_LOADER = Path(__file__).parent / "harness" / "loader.py"
_CLIP_BYTES = 32_000
_BOUNDARY = "frameloombenchmark"


@dataclass(slots=True)
class Cell:
    """One kind of request at one number of connections: its runs.

    Attributes:
        row: What is asked for.
        connections: How many.
        loads: What came of each run.
        cpu_ms: Processor time by process of each run, per request.
        others_cores: Cores that other programs used meanwhile, of each run.
    """

    row: str
    connections: int
    loads: list[Load] = field(default_factory=list)
    cpu_ms: list[dict[str, float]] = field(default_factory=list)
    others_cores: list[float] = field(default_factory=list)

    def cpu(self, name: str) -> float:
        """Milliseconds of processor time that a process spent on one request: the median of the runs."""
        return report.median([used.get(name, 0.0) for used in self.cpu_ms])

    def whole_cpu(self) -> float:
        """The same of all processes of the stack together: what no busy neighbour changes much."""
        return report.median(
            [sum(ms for name, ms in used.items() if name != "this benchmark") for used in self.cpu_ms]
        )

    def figures(self) -> tuple[float, float, float]:
        """Requests a second, p50 and p99 in milliseconds: of each the median of the runs."""
        rates = [len(load.latencies_ms) / load.seconds for load in self.loads]
        p50, p99 = (
            report.median([report.percentile(load.latencies_ms, percent) for load in self.loads])
            for percent in (50, 99)
        )
        return report.median(rates), p50, p99


class Runner:
    """Puts load on one stack.

    Attributes:
        cells: What was measured.
    """

    def __init__(self, options: argparse.Namespace, cells: list[Cell]) -> None:
        self._options = options
        self.cells = cells

    async def measure(
        self, running: Stack, row: str, connections: int, head: str, body: bytes = b"", expect: str = "200"
    ) -> None:
        """Runs one cell; ``body`` ends in 16 bytes that may be replaced, and a form's end."""
        cell = Cell(row, connections)
        place = urlsplit(running.base_url)
        plan = Plan(
            host=str(place.hostname),
            port=int(place.port or 80),
            connections=connections,
            seconds=self._options.seconds,
            head=_request(head, running, len(body)),
            body=base64.b64encode(body).decode(),
            unique_at=len(body) - len(_FORM_END) - 16 if body else None,
        )
        for _ in range(self._options.runs):
            others, cpu = Others(), stack.CpuUse(running)
            load = await _load(plan)
            used = cpu.seconds()
            cell.others_cores.append(others.cores(sum(used.values()) + load.own_seconds))
            asked = max(1, load.asked)
            cell.cpu_ms.append({name: 1000 * seconds / asked for name, seconds in used.items()})
            cell.loads.append(load)
            if set(load.statuses) != {expect}:
                raise BenchmarkError(f"{row}: answers other than {expect}: {load.statuses}")
        self.cells.append(cell)
        rate, p50, p99 = cell.figures()
        print(
            f"  {row}, {connections} connection(s): {rate:.0f}/s, p50 {p50:.2f} ms, p99 {p99:.1f} ms; "
            f"processor ms: gateway {cell.cpu('gateway'):.2f}, database {cell.cpu('documents'):.2f}, "
            f"all {cell.whole_cpu():.2f}"
        )


def main() -> int:
    """Runs the benchmark."""
    parser = report.arguments(__doc__)
    parser.add_argument("--runs", type=int, default=3, help="medians are taken over these")
    parser.add_argument("--seconds", type=float, default=6.0, help="length of one run")
    parser.add_argument("--jobs", type=int, nargs="+", default=[10, 1000, 5000], help="jobs in the database")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 16])
    parser.add_argument(
        "--only", nargs="+", default=["health", "list", "one", "submit"], help="leave the others out"
    )
    parser.add_argument(
        "--profile", type=Path, default=None, metavar="DIR", help="run the gateway under cProfile"
    )
    return stack.run(_measured(parser.parse_args()))


async def _measured(options: argparse.Namespace) -> None:
    machine = Machine.here()
    print(machine.line())
    runner = Runner(options, [])
    async with stack.folder(options.temp) as folder:
        for count in options.jobs if set(options.only) - {"submit"} else []:
            async with _over(folder / f"jobs-{count}", count, options) as (running, job_id):
                await _reads(runner, running, count, job_id)
        if "submit" in options.only:
            body = _form(unique(tiny_clip(folder / "tiny.mp4").read_bytes(), _CLIP_BYTES))
            head = (
                f"POST /api/v1/jobs/ HTTP/1.1\r\nContent-Type: multipart/form-data; boundary={_BOUNDARY}\r\n"
            )
            for connections in sorted({*options.connections, 8}):
                for row in ("submit", "submit, worked at once"):
                    name = f"{row.replace(', ', '-').replace(' ', '-')}-{connections}"
                    async with _over(folder / name, 0, options) as (running, _):
                        with _held(running) if row == "submit" else nullcontext():
                            await runner.measure(running, row, connections, head, body, expect="201")
    _print(runner.cells)
    report.write_json(
        options.json,
        {
            "machine": machine.raw(),
            "options": vars(options),
            "cells": [{**asdict(cell), "figures": cell.figures()} for cell in runner.cells],
        },
    )


async def _reads(runner: Runner, running: Stack, count: int, job_id: str) -> None:
    only, largest = runner._options.only, max(runner._options.jobs)
    for connections in runner._options.connections:
        if "health" in only and count == largest:
            await runner.measure(running, "health", connections, "GET /api/v1/health HTTP/1.1\r\n")
        if "list" in only:
            await runner.measure(running, f"list of {count}", connections, "GET /api/v1/jobs/ HTTP/1.1\r\n")
        if "one" in only:
            path = f"/api/v1/jobs/{job_id}"
            await runner.measure(running, f"one of {count}", connections, f"GET {path} HTTP/1.1\r\n")


@asynccontextmanager
async def _over(folder: Path, count: int, options: argparse.Namespace) -> AsyncIterator[tuple[Stack, str]]:
    """A stack over so many finished jobs, and the id of one in their middle."""
    jobs = [finished(datetime.now(UTC) - timedelta(seconds=count - n)) for n in range(count)]
    async with EmbeddedServers(folder) as servers:
        settings = MongoSettings(uri=servers.environment()["FRAMELOOM_MONGO_URI"])
        async with Mongo.connected(settings) as mongo:
            store = MongoJobStore(mongo)
            await store.create_indexes()
            for job in jobs:
                await store.insert(job)
    commands = None
    if options.profile is not None:
        out: Path = options.profile.absolute()
        await asyncio.to_thread(out.mkdir, parents=True, exist_ok=True)
        commands = profiling.commands(stack.SERVICES, out)
    async with stack.running(folder, commands=commands) as running:
        print(f"{count} jobs in the database")
        if commands is None:
            yield running, jobs[count // 2].id if jobs else ""
            return
        pid = running.pids["gateway"]
        assert pid is not None
        async with profiling.switched_on({"gateway": pid}, out):
            yield running, jobs[count // 2].id if jobs else ""
        _print_profile(profiling.read(out / "gateway.pstats"))


@contextmanager
def _held(running: Stack) -> Iterator[None]:
    """Meanwhile nobody plans or works jobs: the services that would are stopped, and go on at the end."""
    pids = [pid for name in ("scheduler", "worker") if (pid := running.pids[name]) is not None]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


async def _load(plan: Plan) -> Load:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(_LOADER), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate(json.dumps(asdict(plan)).encode())
    if process.returncode:
        raise BenchmarkError("the load generator broke")
    return Load(**json.loads(out))


def _request(head: str, running: Stack, length: int) -> str:
    key = running.api_key
    return f"{head}Host: benchmark\r\nAuthorization: Bearer {key}\r\nContent-Length: {length}\r\n\r\n"


_FORM_END = f"\r\n--{_BOUNDARY}--\r\n".encode()


def _form(video: bytes) -> bytes:
    fields = (
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="selected_pipelines"\r\n\r\n'
        "scene_detection\r\n"
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="video"; filename="clip.mp4"\r\n'
        "Content-Type: video/mp4\r\n\r\n"
    )
    return fields.encode() + video + _FORM_END


def _print(cells: list[Cell]) -> None:
    rows: list[list[report.Cell]] = []
    for cell in sorted(cells, key=lambda c: (c.row.partition(" ")[0], c.row, c.connections)):
        ours, theirs = cell.figures(), PUBLISHED.get((cell.row, cell.connections))
        rows.append(
            [
                cell.row,
                cell.connections,
                *ours,
                *(theirs or (None, None, None)),
                f"{ours[0] / theirs[0]:.1f}x" if theirs else None,
                f"{theirs[2] / ours[2]:.1f}x" if theirs else None,
                cell.cpu("gateway"),
                cell.cpu("documents"),
                cell.whole_cpu(),
                report.median(cell.others_cores),
            ]
        )
    report.table(
        f"Beside the reference, {REFERENCE}, which was NOT run now; medians of the runs",
        [
            "",
            "conns",
            "/s",
            "p50 ms",
            "p99 ms",
            "ref /s",
            "ref p50",
            "ref p99",
            "rate",
            "p99 less",
            "gateway ms",
            "database ms",
            "all ms",
            "others",
        ],
        rows,
    )


def _print_profile(profile: profiling.Profile) -> None:
    rows: list[list[report.Cell]] = [
        [package, 1000 * spent, 100 * spent / profile.busy_seconds]
        for package, spent in profile.packages[:12]
    ]
    report.table(f"gateway: busy {profile.busy_seconds:.2f} s, by package", ["", "ms", "%"], rows)
    rows = [[function, 1000 * spent] for function, spent in profile.ours[:30]]
    report.table("gateway: within our functions, callees included", ["", "ms"], rows)


if __name__ == "__main__":
    sys.exit(main())
