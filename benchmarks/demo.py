"""What ``frameloom annotate`` takes from the command to the files, with the embedded stack.

The clip and the pipelines of ``make demo``. The first run makes the data folder; the later ones, over the
same folder, are measured: each is a process of its own, timed from outside, its stages by when the JSON lines
that it prints and the lines of the stack's log appear.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import report, stack
from harness.machine import Machine, Others

from frameloom.local.up import Stack, UpOptions
from frameloom.worker.models.store import ModelStore

_SAMPLE = "noface-face"
_RUN_SECONDS = 180.0
_LIMIT_SECONDS = 20.0
_LOOK_SECONDS = 0.02
_READY = {
    "gateway listens": ("gateway", " listening "),
    "scheduler at work": ("scheduler", " scheduling"),
    "results at work": ("results", " storing results"),
    "worker: pipelines loaded": ("worker", " child ready "),
    "worker takes tasks": ("worker", " taking tasks "),
}
_STAGES = (
    "command starts, stack up, all parts healthy",
    "upload (POST answered)",
    "until a worker has claimed the first task",
    "until the job is complete",
    "download of the files",
    "stack stopped, command over",
)


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the command.

    Attributes:
        total: From its start to its end, in seconds.
        files: From its start to the last file being whole, in seconds.
        stages: Seconds of each stage.
        ready: Seconds from its start until each service logged that it is ready.
    """

    total: float
    files: float
    stages: dict[str, float]
    ready: dict[str, float]


def main() -> int:
    """Runs the benchmark."""
    parser = report.arguments(__doc__)
    parser.add_argument("--runs", type=int, default=3, help="medians are taken over these")
    parser.add_argument("--pipelines", default="scene_detection,face_analysis", help="what annotates")
    return stack.run(_measured(parser.parse_args()))


async def _measured(options: argparse.Namespace) -> None:
    machine = Machine.here()
    print(machine.line())
    clip = await asyncio.to_thread(ModelStore().path, _SAMPLE)
    others = Others()
    async with stack.folder(options.temp) as folder:
        first = await _run(folder, clip, options.pipelines, 0)
        print(f"first run over a new data folder: files after {first.files:.1f} s, over {first.total:.1f} s")
        runs = [await _run(folder, clip, options.pipelines, n + 1) for n in range(options.runs)]
        servers = [await _servers(folder / "data") for _ in range(options.runs)]
    _print(runs, servers)
    ended = os.times()
    own = ended.children_user + ended.children_system + ended.user + ended.system
    print(f"\nnoise: other programs used at most {others.cores(own):.2f} cores meanwhile")
    report.write_json(
        options.json,
        {
            "machine": machine.raw(),
            "options": vars(options),
            "first_run": _raw(first),
            "runs": [_raw(run) for run in runs],
            "servers": servers,
        },
    )


async def _run(folder: Path, clip: Path, pipelines: str, number: int) -> Run:
    """Runs the command once; its own settings come from nowhere but here."""
    out, data = folder / f"out-{number}", folder / "data"
    command = [
        *(str(Path(sys.executable).with_name("frameloom")), "annotate", str(clip), "--json"),
        *("--pipelines", pipelines, "--out", str(out), "--data", str(data)),
    ]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FRAMELOOM_")}
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *command, env=kept, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, limit=2**20
    )
    errors = asyncio.create_task(_all_of(process.stderr))
    log = _LogWatch(data / "logs" / "stack.log", began)
    following = asyncio.create_task(log.follow())
    seen: list[tuple[float, dict[str, Any]]] = []
    try:
        async with asyncio.timeout(_RUN_SECONDS):
            assert process.stdout is not None
            async for line in process.stdout:
                seen.append((time.perf_counter() - began, json.loads(line)))  # noqa: PERF401 - time of arrival
            status = await process.wait()
    finally:
        following.cancel()
        if process.returncode is None:
            process.terminate()
            await process.wait()
    total = time.perf_counter() - began
    if status != 0:
        raise RuntimeError(f"frameloom annotate ended with {status}: {(await errors).decode()[-500:]}")
    await errors
    stages = _stages(seen, total)
    files = total - stages[_STAGES[-1]]
    return Run(total, files, stages, log.ready)


async def _all_of(stream: asyncio.StreamReader | None) -> bytes:
    return await stream.read() if stream is not None else b""


def _stages(seen: list[tuple[float, dict[str, Any]]], total: float) -> dict[str, float]:
    """Cuts a run at the lines that mark the ends of its stages."""
    at: dict[str, float] = {}
    for when, line in seen:
        at.setdefault(line["type"], when)
    marks = ["client.uploading", "client.submitted", "job.started", "job.completed", "summary"]
    if missing := [mark for mark in marks if mark not in at]:
        raise RuntimeError(f"the command did not print {missing}, only {sorted(at)}")
    cuts = [0.0, *(at[mark] for mark in marks), total]
    return {name: end - start for name, start, end in zip(_STAGES, cuts, cuts[1:], strict=False)}


class _LogWatch:
    """Notes when the lines that tell of readiness appear in a log that other processes write.

    Attributes:
        ready: Seconds since the beginning, by what is ready.
    """

    def __init__(self, path: Path, began: float) -> None:
        self.ready: dict[str, float] = {}
        self._path = path
        self._began = began
        self._offset = path.stat().st_size if path.exists() else 0

    async def follow(self) -> None:
        """Looks until cancelled, or until everything is ready."""
        while len(self.ready) < len(_READY):
            await asyncio.sleep(_LOOK_SECONDS)  # nothing tells when another process writes to a file
            lines = self._news()
            now = time.perf_counter() - self._began
            for name, (service, text) in _READY.items():
                if any(line.startswith(f"{service} ") and text in f"{line} " for line in lines):
                    self.ready.setdefault(name, now)

    def _news(self) -> list[str]:
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._offset)
            whole, end, _ = file.read().rpartition(b"\n")
        self._offset += len(whole) + len(end)
        return whole.decode(errors="replace").splitlines()


async def _servers(data: Path) -> dict[str, float]:
    """The same stack once more in this process, which can say how long each server took."""
    running = Stack(UpOptions(data=data, port=0, quiet=True))
    began = time.perf_counter()
    await running.start()
    up = time.perf_counter() - began
    taken = {f"{server.name} answers": server.start_seconds for server in running.servers.all}
    began = time.perf_counter()
    await running.stop()
    return {**taken, "whole stack healthy": up, "whole stack stopped": time.perf_counter() - began}


def _print(runs: list[Run], servers: list[dict[str, float]]) -> None:
    files = [run.files for run in runs]
    rows: list[list[report.Cell]] = [
        [name, *_summary([run.stages[name] for run in runs])] for name in runs[0].stages
    ]
    rows.append(["= command to files", *_summary(files)])
    rows.append(["= command to prompt", *_summary([run.total for run in runs])])
    report.table(f"frameloom annotate over an existing data folder: seconds, {len(runs)} runs", _HEAD, rows)
    names = sorted(runs[0].ready, key=lambda name: runs[0].ready[name])
    report.table(
        "When the services were ready: seconds after the command began (their log lines)",
        _HEAD,
        [[name, *_summary([run.ready.get(name, float("nan")) for run in runs])] for name in names],
    )
    report.table(
        "The stack alone, started from a Python that has it imported: seconds",
        _HEAD,
        [[name, *_summary([one[name] for one in servers])] for name in servers[0]],
    )
    word = "under" if report.median(files) < _LIMIT_SECONDS else "NOT under"
    print(f"\ncommand to files: {report.median(files):.1f} s, {word} the {_LIMIT_SECONDS:g} s asked for")


_HEAD = ["", "median", "least", "most"]


def _summary(values: list[float]) -> list[report.Cell]:
    return [report.median(values), min(values), max(values)]


def _raw(run: Run) -> dict[str, object]:
    return {"total": run.total, "files": run.files, "stages": run.stages, "ready": run.ready}


if __name__ == "__main__":
    sys.exit(main())
