"""A thousand event streams on one gateway: whether each sees every event of its job in order, and how soon.

The gateway, the broker and the database are the real ones. Jobs are made here: their state machines run,
their documents are written and their event logs are relayed to Kafka exactly as scheduler and workers do
it, only without the work between, so that the figures are those of the way of an event and not of a
pipeline that uses the same two cores.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import secrets
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import psutil
from harness import report, stack
from harness.machine import Machine, Others
from harness.publisher import Publisher

from frameloom.local.process import ChildProcess
from frameloom.local.servers import EmbeddedServers

_WATCHERS = Path(__file__).parent / "harness" / "watchers.py"
_KEY = f"va_{secrets.token_urlsafe(32)}"
_FILES = 8192
_READY_SECONDS = 60.0
_END_SECONDS = 60.0
_SETTLE_SECONDS = 2.0
_WANTED_MS = 250
_MIB = 1024 * 1024


@dataclass(slots=True)
class Outcome:
    """What one run has shown.

    Attributes:
        delays: Seconds from an event's being given to the broker to its arrival, of every event and stream.
        written_delays: The same from its document's being written: the relay comes between.
        own_delays: The same from the event's own time, when the change was decided.
        faults: Streams that did not see exactly the events of their job in order, each with a sentence.
        lagged: How many streams were told that they lag.
        opening_seconds: Until every stream had its first event.
        bytes_each: What one stream was sent, on average.
    """

    delays: list[float] = field(default_factory=list)
    written_delays: list[float] = field(default_factory=list)
    own_delays: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    lagged: int = 0
    opening_seconds: float = 0.0
    bytes_each: float = 0.0


def main() -> int:
    """Runs the benchmark."""
    parser = report.arguments(__doc__)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=50, help="the streams are spread evenly over them")
    parser.add_argument("--events", type=int, default=40, help="of each job")
    parser.add_argument("--every", type=float, default=1.0, help="seconds between two events of a job")
    parser.add_argument("--query", default="", help="more of the query, such as format=events")
    parser.add_argument("--socket", action="store_true", help="WebSockets instead of event streams")
    return stack.run(_measured(parser.parse_args()))


async def _measured(options: argparse.Namespace) -> None:
    machine = Machine.here()
    print(machine.line())
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(_FILES, most) if most > 0 else _FILES, most))
    async with (
        stack.folder(options.temp) as folder,
        EmbeddedServers(folder / "data") as servers,
        _gateway(servers, folder) as gateway,
        Publisher.connected(servers.environment()) as publisher,
    ):
        await publisher.submit(options.jobs)
        process = psutil.Process(gateway.pid)
        before = await _settled_rss(process)
        outcome, after, cpu, seconds, others = await _run(servers, publisher, process, options)
        end = process.memory_info().rss
    _print(options, outcome, (before, after, end), cpu, seconds, others)
    report.write_json(
        options.json,
        {
            "machine": machine.raw(),
            "options": vars(options),
            "delays_ms": _percentiles(outcome.delays),
            "written_delays_ms": _percentiles(outcome.written_delays),
            "own_delays_ms": _percentiles(outcome.own_delays),
            "faults": outcome.faults,
            "rss_bytes": {"before": before, "open": after, "end": end},
            "gateway_cpu_seconds": cpu,
            "seconds": seconds,
        },
    )


async def _run(
    servers: EmbeddedServers, publisher: Publisher, process: psutil.Process, options: argparse.Namespace
) -> tuple[Outcome, int, float, float, float]:
    """Opens the streams, publishes, and compares what was sent with what came."""
    jobs = publisher.jobs
    watched = [jobs[number % len(jobs)] for number in range(options.streams)]
    extra = f"&{options.query}" if options.query else ""
    path = f"/api/v1/events/{'ws' if options.socket else 'stream'}?close_on_end=true{extra}&job_id="
    asked = {
        "host": "127.0.0.1",
        "port": servers.gateway_port,
        "key": _KEY,
        "socket": options.socket,
        "paths": [path + job for job in watched],
        "seconds": options.events * options.every + _END_SECONDS,
    }
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        str(_WATCHERS),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=512 * _MIB,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        began = time.perf_counter()
        child.stdin.write(json.dumps(asked).encode() + b"\n")
        assert (await child.stdout.readline()).strip() == b"open", "the streams could not be opened"
        opening = time.perf_counter() - began
        after = await _settled_rss(process)
        others, cpu_before, started = Others(), _cpu(process), time.perf_counter()
        own = _own_cpu()
        await publisher.publish(options.events, options.every)
        seconds, cpu = time.perf_counter() - started, _cpu(process) - cpu_before
        busy = others.cores(_own_cpu() - own)
        found = json.loads(await child.stdout.readline())
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()
    outcome = _compared(publisher, watched, found)
    outcome.opening_seconds = opening
    return outcome, after, cpu, seconds, busy


def _compared(publisher: Publisher, watched: Sequence[str], found: Sequence[dict[str, Any]]) -> Outcome:
    outcome = Outcome(bytes_each=sum(one["bytes"] for one in found) / max(1, len(found)))
    for number, (job, one) in enumerate(zip(watched, found, strict=True)):
        sent = publisher.sent[job]
        seqs = [seq for seq, _ in one["events"]]
        outcome.lagged += bool(one["lagged"])
        if one["status"] not in {"200", "101"}:
            outcome.faults.append(f"stream {number} was answered {one['status']}")
        elif seqs != list(range(1, len(sent) + 1)):
            outcome.faults.append(f"stream {number} saw {seqs[:60]} of 1 to {len(sent)}")
        elif not one["ended"]:
            outcome.faults.append(f"stream {number} did not end")
        live = [(seq, at) for seq, at in one["events"] if seq > 1]  # the first one was there before
        outcome.delays += [at - publisher.published[job, seq] for seq, at in live if seq in sent]
        outcome.written_delays += [at - sent[seq].written for seq, at in live if seq in sent]
        outcome.own_delays += [at - sent[seq].decided for seq, at in live if seq in sent]
    return outcome


@asynccontextmanager
async def _gateway(servers: EmbeddedServers, folder: Path) -> AsyncIterator[ChildProcess]:
    """A gateway alone over the servers, once it answers."""
    environment = {
        **os.environ,
        **servers.environment(),
        "FRAMELOOM_GATEWAY_PORT": str(servers.gateway_port),
        "FRAMELOOM_GATEWAY_MAX_STREAMS": "5000",
        "FRAMELOOM_AUTH_INITIAL_KEY": _KEY,
    }
    with (folder / "gateway.log").open("wb") as log:
        child = await ChildProcess.spawn(
            [sys.executable, "-m", "frameloom.gateway"], env=environment, output=log
        )
        try:
            async with asyncio.timeout(_READY_SECONDS), aiohttp.ClientSession() as session:
                while not await _answers(session, servers.gateway_port):  # noqa: ASYNC110 - no event
                    await asyncio.sleep(0.1)
            yield child
        finally:
            await child.stop(20)


async def _answers(session: aiohttp.ClientSession, port: int) -> bool:
    try:
        async with session.get(f"http://127.0.0.1:{port}/api/v1/health") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


async def _settled_rss(process: psutil.Process) -> int:
    await asyncio.sleep(_SETTLE_SECONDS)
    return int(process.memory_info().rss)


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _percentiles(values: list[float]) -> dict[str, float]:
    return {f"p{p}": report.percentile(values, p) * 1000 for p in (50, 95, 99, 100)}


def _own_cpu() -> float:
    """Of this process and all that it has started: servers, gateway, watchers."""
    me = psutil.Process()
    return sum(_cpu(one) for one in (me, *me.children(recursive=True)))


def _print(
    options: argparse.Namespace,
    outcome: Outcome,
    rss: tuple[int, int, int],
    cpu: float,
    seconds: float,
    others: float,
) -> None:
    deliveries = len(outcome.delays)
    rows: list[list[report.Cell]] = [
        [title, *(report.percentile(values, p) * 1000 for p in (50, 95, 99, 100))]
        for title, values in (
            ("given to the broker -> received", outcome.delays),
            ("document written -> received", outcome.written_delays),
            ("change decided (event time) -> received", outcome.own_delays),
        )
    ]
    report.table(
        f"{options.streams} streams over {options.jobs} jobs, {deliveries} events received live in "
        f"{seconds:.1f} s; ms",
        ["delay", "p50", "p95", "p99", "most"],
        rows,
    )
    before, after, end = rss
    kib = (after - before) / 1024 / options.streams
    print(
        f"\nall open after {outcome.opening_seconds:.1f} s; {outcome.bytes_each / 1024:.1f} KiB sent to each"
    )
    print(
        f"gateway: {before / _MIB:.0f} MiB before, {after / _MIB:.0f} with all streams open "
        f"({kib:.1f} KiB each), {end / _MIB:.0f} at the end"
    )
    print(
        f"gateway: {cpu:.1f} s of processor time ({cpu / seconds:.2f} cores, "
        f"{cpu / max(1, deliveries) * 1e6:.0f} us an event received); other programs {others:.2f} cores"
    )
    p99 = report.percentile(outcome.delays, 99) * 1000
    print(f"p99 {p99:.0f} ms: {'as' if p99 < _WANTED_MS else 'NOT as'} wanted (< {_WANTED_MS} ms)")
    print(f"lagged: {outcome.lagged} streams; faults: {len(outcome.faults)}")
    for fault in outcome.faults[:10]:
        print(f"  {fault}")


if __name__ == "__main__":
    sys.exit(main())
