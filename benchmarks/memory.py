"""Whether memory stays flat while 1 GiB comes in, goes out in an archive, and while 30 minutes are annotated.

Resident memory of every process, sampled each 0.2 s. A process is called flat when the median of the last
third of a run is at most a few MiB above that of the first third.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import report, stack
from harness.client import Client, Timed
from harness.machine import Machine
from harness.media import long_clip, padded, tiny_clip
from harness.sampling import Sampler
from harness.ways import WAYS, sent

from frameloom.worker.models.store import ModelStore

_GIB = 1024**3
_UPLOAD_SECONDS = 600.0
_VIDEO_SECONDS = 900.0
_SETTLE_SECONDS = 3.0
_FLAT_MIB = 8
_SAMPLE = "noface-face"
_ORDER = ("gateway", "results", "scheduler", "worker", "worker-child", "documents", "objects", "broker")
_HEAD = ["process", "start", "peak", "end", "first third", "last third", "growth", "peak - start"]


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time that a table is made of."""

    title: str
    began: float
    ended: float


def main() -> int:
    """Runs the benchmark."""
    parser = report.arguments(__doc__)
    parser.add_argument("--gib", type=float, default=1.0, help="size of the upload")
    parser.add_argument("--way", choices=WAYS, default="form", help="how the upload is sent")
    parser.add_argument("--minutes", type=float, default=30.0, help="length of the video; 0: none")
    parser.add_argument("--pps", type=float, default=0.2, help="faces are looked for this often a second")
    return stack.run(_measured(parser.parse_args()))


async def _measured(options: argparse.Namespace) -> None:
    machine = Machine.here()
    print(machine.line())
    video = await asyncio.to_thread(_video, options.minutes) if options.minutes else None
    async with stack.folder(options.temp) as folder:
        tiny = tiny_clip(folder / "tiny.mp4")
        large = padded(tiny, folder / "large.mp4", int(options.gib * _GIB))
        async with (
            stack.running(folder / "data") as running,
            Client.connected(running.base_url, running.api_key) as client,
        ):
            # Models are loaded and modules imported on first use: that is no growth.
            warm = await client.submit(tiny.read_bytes(), "scene_detection,face_analysis")
            await client.ended(warm, _UPLOAD_SECONDS)
            with Sampler(stack.processes(running)) as sampler:
                upload = await _upload(client, large, options.gib, options.way)
                await asyncio.sleep(_SETTLE_SECONDS)
                spans = await _annotation(client, video, options.pps) if video else []
                await asyncio.sleep(_SETTLE_SECONDS)
            raw = [_print(sampler, span) for span in (*upload, *spans)]
            _verdict(sampler, (upload[0], upload[2], *spans[:1]))
    report.write_json(
        options.json,
        {
            "machine": machine.raw(),
            "options": vars(options),
            "spans": raw,
            "series_mib": sampler.series(),
        },
    )


async def _upload(client: Client, large: Path, gib: float, way: str) -> list[Span]:
    job = await sent(client, way, large, "scene_detection")
    seconds = job.answered - job.sent
    await client.ended(job, _UPLOAD_SECONDS)
    ended = job.seen["job.completed"]
    passing = f"upload of {gib:g} GiB by {way} ({seconds:.1f} s, {gib * 1024 / seconds:.0f} MiB/s)"
    fetching = f"the worker fetches and annotates it ({ended - job.answered:.1f} s)"
    spans = [Span(passing, job.sent, job.answered), Span(fetching, job.answered, ended)]
    began = time.perf_counter()
    passed = await client.archive(job.id)
    seconds = time.perf_counter() - began
    out = f"its archive goes out ({seconds:.1f} s, {passed / 1024**2 / seconds:.0f} MiB/s)"
    return [*spans, Span(out, began, began + seconds)]


async def _annotation(client: Client, video: Path, pps: float) -> list[Span]:
    config = {"face_analysis": {"pps": pps}}
    job = await client.submit(video, "scene_detection,face_analysis", config=config, name="long.mp4")
    await client.ended(job, _VIDEO_SECONDS)
    rows = (await client.results(job.id))["pipeline_results"]
    counts = ", ".join(f"{name} {one['annotation_count']}" for name, one in sorted(rows.items()))
    began, ended = job.seen["job.started"], job.seen["job.completed"]
    whole = f"annotation of the long video ({ended - began:.1f} s; annotations: {counts})"
    order = sorted(rows, key=lambda name: job.seen[f"task.started {name}"])
    return [Span(whole, began, ended), *(_task(job, name) for name in order)]


def _task(job: Timed, pipeline: str) -> Span:
    began, ended = job.seen[f"task.started {pipeline}"], job.seen[f"task.completed {pipeline}"]
    return Span(f"of it, {pipeline} ({ended - began:.1f} s)", began, ended)


def _print(sampler: Sampler, span: Span) -> dict[str, object]:
    found = {name: sampler.within(name, span.began, span.ended) for name in sampler.series()}
    shown = {name: memory for name, memory in found.items() if memory is not None}
    names = sorted(shown, key=lambda name: (_ORDER.index(name) if name in _ORDER else len(_ORDER), name))
    rows: list[list[report.Cell]] = []
    for name in names:
        one = shown[name]
        cells = (one.start, one.peak, one.end, one.first_third, one.last_third)
        rows.append(
            [name, *(f"{v:.1f}" for v in cells), f"{one.growth:+.1f}", f"{one.peak - one.start:+.1f}"]
        )
    report.table(f"{span.title}: resident memory, MiB", _HEAD, rows)
    return {
        "title": span.title,
        "seconds": span.ended - span.began,
        "processes": {name: memory.raw() for name, memory in shown.items()},
    }


def _verdict(sampler: Sampler, spans: Sequence[Span]) -> None:
    """What is claimed of gateway and results, in one line each."""
    print(f"\nflat means: growth of at most {_FLAT_MIB} MiB between the first and the last third")
    for name in ("gateway", "results"):
        for span in spans:
            if (one := sampler.within(name, span.began, span.ended)) is not None:
                word = "flat" if one.growth <= _FLAT_MIB else "NOT flat"
                print(f"  {name:<8} {word}: {one.growth:+.1f} MiB, peak {one.peak:.0f} MiB - {span.title}")


def _video(minutes: float) -> Path:
    """The long video, made once and kept in the system's temporary folder."""
    path = Path(tempfile.gettempdir()) / f"frameloom-bench-{_SAMPLE}-{minutes:g}min-v1.mp4"
    began = time.monotonic()
    if not path.exists():
        long_clip(ModelStore().path(_SAMPLE), path, seconds=minutes * 60)
    print(
        f"long video: {minutes:g} min, {path.stat().st_size / 1e6:.0f} MB, "
        f"made in {time.monotonic() - began:.1f} s (0 when it was there already)"
    )
    return path


if __name__ == "__main__":
    sys.exit(main())
