"""What uploads cost that nobody should send: the gateway's memory, and how soon each is refused.

The corpus is that of the end-to-end tests. It is sent several times over, many at once; then some that are
large, to the size limit and beyond. The gateway's memory must stay where it was, and the bucket empty but for
the few files that are harmless.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import psutil
from harness import report, stack
from harness.machine import Machine
from harness.sampling import Sampler

from frameloom.local.up import Stack

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from support.hostile import FILES
from support.hostile.base import Case, ftyp, noise

_MIB = 1024**2
_FLAT_MIB = 8.0
_SETTLE_SECONDS = 5.0
_PIECE = noise(64 * 1024) * 16


@dataclass(frozen=True, slots=True)
class Sent:
    """One upload.

    Attributes:
        name: Of the case.
        status: Of the answer.
        code: Of the error; empty where there is none.
        seconds: From sending until the answer.
    """

    name: str
    status: int
    code: str
    seconds: float


def main() -> int:
    """Runs the benchmark."""
    parser = report.arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often the corpus is sent")
    parser.add_argument("--at-once", type=int, default=8, help="uploads at once")
    parser.add_argument("--mib", type=int, default=256, help="size of the large ones")
    return stack.run(_measured(parser.parse_args()))


async def _measured(options: argparse.Namespace) -> None:
    machine = Machine.here()
    print(machine.line())
    corpus = [(case, case.make()) for case in FILES]
    async with stack.folder(options.temp) as folder, stack.running(folder / "data") as running:
        headers = {"Authorization": f"Bearer {running.api_key}"}
        async with aiohttp.ClientSession(running.base_url, headers=headers) as client:
            await _round(client, corpus, options.at_once)  # modules are imported on first use: no growth
            with Sampler(_gateway(running)) as sampler:
                began = time.perf_counter()
                sent = [
                    one
                    for _ in range(options.rounds)
                    for one in await _round(client, corpus, options.at_once)
                ]
                small = time.perf_counter()
                large = await asyncio.gather(*(_large(client, options.mib) for _ in range(4)))
                ended = time.perf_counter()
                await asyncio.sleep(_SETTLE_SECONDS)
                again = time.perf_counter()
                await _round(client, corpus, options.at_once)
                last = time.perf_counter()
            health = await _status(client, "/api/v1/health")
    _print(sent, options)
    spans = (
        ("corpus", began, small),
        (f"4 x {options.mib} MiB at once", small, ended),
        ("the corpus once more", again, last),
    )
    raw = _print_memory(sampler, spans)
    print(f"\nlarge ones: {[f'{one.status} {one.code} {one.seconds:.1f} s' for one in large]}")
    print(f"afterwards GET /api/v1/health: {health}")
    report.write_json(
        options.json,
        {
            "machine": machine.raw(),
            "options": vars(options),
            "sent": [[one.name, one.status, one.code, one.seconds] for one in sent],
            "memory": raw,
        },
    )


async def _round(
    client: aiohttp.ClientSession, corpus: Iterable[tuple[Case, bytes]], at_once: int
) -> list[Sent]:
    """Every case once; each must be answered as the tests want it."""
    places = asyncio.Semaphore(at_once)

    async def one(case: Case, body: bytes) -> Sent:
        async with places:
            sent = await _post(client, case.name, body, case.filename, case.pipelines)
        if (sent.status, sent.code) != (case.status, case.code):
            raise SystemExit(f"{case.name} was answered with {sent.status} {sent.code}")
        return sent

    return await asyncio.gather(*(one(case, body) for case, body in corpus))


async def _large(client: aiohttp.ClientSession, mib: int) -> Sent:
    """The beginning of an MP4, and noise: it lies in quarantine, whole, until it is refused."""

    async def body() -> AsyncIterator[bytes]:
        yield ftyp()
        for _ in range(mib):
            yield _PIECE

    return await _post(client, "large", body(), "large.mp4", "scene_detection")


async def _post(
    client: aiohttp.ClientSession,
    name: str,
    body: bytes | AsyncIterator[bytes],
    filename: str,
    pipelines: str,
) -> Sent:
    form = aiohttp.FormData(quote_fields=False)
    form.add_field("selected_pipelines", pipelines)
    form.add_field("video", body, filename=filename, content_type="video/mp4")
    began = time.perf_counter()
    async with client.post("/api/v1/jobs/", data=form) as answer:
        told = await answer.json()
        code = "" if answer.status == 201 else str(told.get("error", {}).get("code", ""))
        return Sent(name, answer.status, code, time.perf_counter() - began)


async def _status(client: aiohttp.ClientSession, path: str) -> int:
    async with client.get(path) as answer:
        return answer.status


def _gateway(running: Stack) -> dict[str, psutil.Process]:
    """The gateway, and the process that forks those which look at uploads."""
    gateway = stack.processes(running)["gateway"]
    (waits,) = gateway.children()
    return {"gateway": gateway, "probe": waits.children()[0]}


def _print(sent: list[Sent], options: argparse.Namespace) -> None:
    codes = Counter(f"{one.status} {one.code}".strip() for one in sent)
    rows: list[list[report.Cell]] = []
    times: dict[str, list[float]] = defaultdict(list)
    for one in sent:
        times[f"{one.status} {one.code}".strip()].append(one.seconds * 1000)
    for code, count in sorted(codes.items()):
        rows.append([code, count, report.median(times[code]), report.percentile(times[code], 99)])
    title = f"{len(sent)} uploads, {options.at_once} at once: milliseconds until the answer"
    report.table(title, ("answer", "uploads", "median", "p99"), rows)


def _print_memory(sampler: Sampler, spans: Iterable[tuple[str, float, float]]) -> list[dict[str, object]]:
    rows: list[list[report.Cell]] = []
    raw: list[dict[str, object]] = []
    for title, began, ended in spans:
        for name in sampler.series():
            if (one := sampler.within(name, began, ended)) is None:
                continue
            word = "flat" if one.growth <= _FLAT_MIB else "NOT flat"
            rows.append(
                [
                    f"{title}: {name}",
                    *(f"{v:.1f}" for v in (one.start, one.peak, one.end)),
                    f"{one.growth:+.1f}",
                    word,
                ]
            )
            raw.append({"span": title, "process": name, **one.raw()})
    head = ("resident memory, MiB", "start", "peak", "end", "growth", "")
    report.table(f"growth of at most {_FLAT_MIB:g} MiB is called flat", head, rows)
    return raw


if __name__ == "__main__":
    sys.exit(main())
