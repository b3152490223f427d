"""How quickly jobs begin and end: one at a time, and twenty at once.

A tiny video (160x120, 3 s) with ``scene_detection``, as in the measurement of the reference whose figures
stand beside ours. Every job has other bytes, so that nothing is answered from a cache.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from harness import profiling, report, stack
from harness.client import Client, Timed
from harness.machine import Machine, Others
from harness.media import tiny_clip, unique

from frameloom.local.up import Stack

PIPELINES = "scene_detection"
REFERENCE = "VideoAnnotator 1.4.4 (published)"
REFERENCE_SUBMIT_TO_RUNNING = 4.96
REFERENCE_SUBMIT_TO_COMPLETED = 4.98
REFERENCE_TWENTY_SECONDS = 50.1
_CLIP_BYTES = 32_000
_JOB_SECONDS = 60.0
_BURST_SECONDS = 300.0
_STAGES = (
    ("POST sent -> answered (201)", "answered"),
    ("POST sent -> job document written (event time)", "job.submitted"),
    ("POST sent -> task claimed by a worker (event time)", "task.started"),
    ("POST sent -> job.started written (event time)", "job.started"),
    ("POST sent -> job.started seen over SSE", "seen job.started"),
    ("POST sent -> task.completed (event time)", "task.completed"),
    ("POST sent -> job.completed written (event time)", "job.completed"),
    ("POST sent -> job.completed seen over SSE", "seen job.completed"),
)


@dataclass(frozen=True, slots=True)
class Round:
    """The figures of one round.

    Attributes:
        singles: Of the jobs one after the other, each stage's seconds.
        burst_seconds: From the first POST to the last job completed (seen over SSE).
        cpu_seconds: During the burst, by process.
        others_cores: Cores that other programs used during the burst, on average.
        singles_others_cores: The same for the jobs one after the other.
    """

    singles: dict[str, list[float]]
    burst_seconds: float
    cpu_seconds: dict[str, float]
    others_cores: float
    singles_others_cores: float


def main() -> int:
    """Runs the benchmark."""
    parser = report.arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="medians are taken over these")
    parser.add_argument("--jobs", type=int, default=20, help="per round, in either measurement")
    parser.add_argument("--workers", type=int, default=1, help="worker processes")
    parser.add_argument("--slots", type=int, default=1, help="tasks at once in each worker")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of the video")
    parser.add_argument(
        "--profile", type=Path, default=None, metavar="DIR", help="then one burst more, under cProfile"
    )
    return stack.run(_measured(parser.parse_args()))


async def _measured(options: argparse.Namespace) -> None:
    machine = Machine.here()
    print(machine.line())
    async with stack.folder(options.temp) as folder:
        video = tiny_clip(folder / "tiny.mp4", seconds=options.seconds).read_bytes()
        print(f"video: 160x120, {options.seconds:g} s, 32 kB (or what it takes); pipeline {PIPELINES}")
        async with (
            stack.running(folder / "data", workers=options.workers, slots=options.slots) as running,
            Client.connected(running.base_url, running.api_key) as client,
        ):
            first = await _single(client, video)
            rounds = [await _round(running, client, video, options.jobs) for _ in range(options.rounds)]
            _print(options, first, rounds)
        if options.profile is not None:
            await _profile(folder / "profiled", video, options)
    raw = [{name: getattr(one, name) for name in Round.__dataclass_fields__} for one in rounds]
    report.write_json(
        options.json,
        {"machine": machine.raw(), "options": vars(options), "first_job": _stages(first), "rounds": raw},
    )


async def _round(running: Stack, client: Client, video: bytes, count: int) -> Round:
    others, cpu = Others(), stack.CpuUse(running)
    jobs = [await _single(client, video) for _ in range(count)]
    singles_others = others.cores(sum(cpu.seconds().values()))
    others, cpu = Others(), stack.CpuUse(running)
    seconds = await _burst(client, video, count)
    used = cpu.seconds()
    singles = {name: [_stages(job)[name] for job in jobs] for _, name in _STAGES}
    return Round(singles, seconds, used, others.cores(sum(used.values())), singles_others)


async def _single(client: Client, video: bytes) -> Timed:
    return await client.ended(await client.submit(unique(video, _CLIP_BYTES), PIPELINES), _JOB_SECONDS)


async def _burst(client: Client, video: bytes, count: int) -> float:
    """All jobs at once: seconds from the first POST to the last job seen completed."""
    bodies = [unique(video, _CLIP_BYTES) for _ in range(count)]
    began = time.perf_counter()
    jobs = await asyncio.gather(*(client.submit(body, PIPELINES) for body in bodies))
    ended = [await client.ended(job, _BURST_SECONDS) for job in jobs]
    return max(job.seen["job.completed"] for job in ended) - began


def _stages(job: Timed) -> dict[str, float]:
    return {
        "answered": job.answered - job.sent,
        **{name: job.happened_after(name) for _, name in _STAGES if name in job.times},
        "seen job.started": job.seen_after("job.started"),
        "seen job.completed": job.seen_after("job.completed"),
    }


def _print(options: argparse.Namespace, first: Timed, rounds: list[Round]) -> None:
    stages = {
        name: (
            report.median([report.median(one.singles[name]) for one in rounds]),
            report.median([report.percentile(one.singles[name], 95) for one in rounds]),
        )
        for _, name in _STAGES
    }
    burst = report.median([one.burst_seconds for one in rounds])
    minute = options.jobs / burst * 60
    reference_minute = 20 / REFERENCE_TWENTY_SECONDS * 60
    report.table(
        f"Beside the reference: medians of {options.rounds} rounds. The reference's figures were published "
        "for a machine\nof the same size (2 cores, 24 GiB) and were NOT run now: the original is not here.",
        ["", "Frameloom", REFERENCE, "ratio"],
        [
            _against(
                "submit to running, seen, median (s)",
                stages["seen job.started"][0],
                REFERENCE_SUBMIT_TO_RUNNING,
            ),
            _against(
                "submit to running, event times, median (s)",
                stages["job.started"][0],
                REFERENCE_SUBMIT_TO_RUNNING,
            ),
            ["submit to running, seen, p95 (s)", stages["seen job.started"][1], None, None],
            _against(
                "submit to completed, median (s)",
                stages["seen job.completed"][0],
                REFERENCE_SUBMIT_TO_COMPLETED,
            ),
            _against(f"{options.jobs} jobs at once (s)", burst, REFERENCE_TWENTY_SECONDS)
            if options.jobs == 20
            else [f"{options.jobs} jobs at once (s)", burst, None, None],
            ["jobs a minute", minute, reference_minute, f"{minute / reference_minute:.1f}x more"],
        ],
    )
    report.table(
        f"Where the time of one job goes: {options.jobs} jobs one after the other, milliseconds "
        f"(medians of {options.rounds} rounds)",
        ["", "median", "p95", "first job after start"],
        [[text, *(1000 * v for v in stages[name]), 1000 * _stages(first)[name]] for text, name in _STAGES],
    )
    names = list(dict.fromkeys(name for one in rounds for name in one.cpu_seconds))
    used = {name: report.median([one.cpu_seconds.get(name, 0.0) for one in rounds]) for name in names}
    report.table(
        f"Processor time of {options.jobs} jobs at once (median of the rounds)",
        ["process", "seconds", "ms per job"],
        [
            [name, seconds, 1000 * seconds / options.jobs]
            for name, seconds in sorted([*used.items(), ("all", sum(used.values()))], key=lambda u: -u[1])
        ],
    )
    report.table(
        "Round by round, to see whether it slows down as finished jobs pile up in the database",
        [
            "round",
            "to running (ms)",
            f"{options.jobs} at once (s)",
            "database (s of processor)",
            "others (cores)",
        ],
        [
            [
                f"{number} ({2 * options.jobs * number + 1} jobs before)",
                1000 * report.median(one.singles["seen job.started"]),
                one.burst_seconds,
                one.cpu_seconds.get("documents"),
                one.others_cores,
            ]
            for number, one in enumerate(rounds)
        ],
    )
    single_noise = report.median([one.singles_others_cores for one in rounds])
    burst_noise = report.median([one.others_cores for one in rounds])
    print(
        f"\nnoise: other programs used {single_noise:.2f} cores during the single jobs and {burst_noise:.2f} "
        "during the bursts"
    )


def _against(text: str, ours: float, theirs: float) -> list[report.Cell]:
    return [
        text,
        ours,
        theirs,
        f"{theirs / ours:.1f}x quicker" if ours < theirs else f"{ours / theirs:.1f}x slower",
    ]


async def _profile(folder: Path, video: bytes, options: argparse.Namespace) -> None:
    """A burst in a stack of its own under cProfile, which slows it: no part of the figures."""
    out: Path = options.profile.absolute()
    await asyncio.to_thread(out.mkdir, parents=True, exist_ok=True)
    commands = profiling.commands(stack.SERVICES, out)
    async with (
        stack.running(folder, workers=1, slots=options.slots, commands=commands) as running,
        Client.connected(running.base_url, running.api_key) as client,
    ):
        await _single(client, video)
        pids = {name: pid for name in stack.SERVICES if (pid := running.pids[name]) is not None}
        async with profiling.switched_on(pids, out):
            seconds = await _burst(client, video, options.jobs)
    print(f"\nprofiled burst: {seconds:.1f} s; profiles in {out} (pstats)")
    for name in pids:
        profile = profiling.read(out / f"{name}.pstats")
        rows: list[list[report.Cell]] = [
            [package, 1000 * spent, 100 * spent / profile.busy_seconds]
            for package, spent in profile.packages[:8]
        ]
        report.table(f"{name}: busy {profile.busy_seconds:.2f} s, by package", ["", "ms", "%"], rows)
        rows = [[function, 1000 * spent] for function, spent in profile.ours[:14]]
        report.table(f"{name}: within our functions, callees included", ["", "ms"], rows)


if __name__ == "__main__":
    sys.exit(main())
