"""How much sooner a long video is annotated when several workers share it, in segments.

Ten minutes of video, once whole on one worker, then in segments on several. `waiting` stands for a pipeline
whose network runs on a GPU: it waits 10 ms for each frame of a small video. `scene_detection` decodes every
frame of the mix (benchmarks/mix.py; `--video` names another) on the processor, which the workers share.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import mix
import numpy as np
from harness import report, stack
from harness.client import BenchmarkError, Client
from harness.machine import Machine
from harness.waiting import Waiting

from frameloom.common.documents import MediaFacts
from frameloom.common.machines import segments
from frameloom.worker.pipelines import Pipeline
from frameloom.worker.pipelines.scene_detection import SceneDetection

_MINUTES = 10
_FPS = 10
_PATIENCE_SECONDS = 1800.0
_ABOVE_SECONDS = 60.0
_PIPELINES: dict[str, type[Pipeline]] = {"waiting": Waiting, "scene_detection": SceneDetection}


@dataclass(frozen=True, slots=True)
class Run:
    """One job. Segments is 0 if the video stayed whole."""

    pipeline: str
    workers: int
    segments: int
    seconds: float
    rows: int


def main() -> int:
    """Runs the benchmark."""
    parser = report.arguments(__doc__)
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2, 4, 8], help="for the one that waits")
    parser.add_argument("--real", type=int, nargs="*", default=[1, 2], help="workers for scene_detection")
    parser.add_argument("--video", type=Path, default=None, help="for scene_detection; else the mix is made")
    parser.add_argument("--segment-seconds", type=float, default=75.0)
    return stack.run(_measured(parser.parse_args()))


async def _measured(options: argparse.Namespace) -> None:
    machine = Machine.here()
    print(machine.line())
    found: list[Run] = []
    async with stack.folder(options.temp) as folder:
        small = _small(folder / "small.mp4")
        for number in options.workers:
            found += await _on(number, "waiting", small, folder, options.segment_seconds)
        for number in options.real:
            video = options.video or mix.repeated(folder, 60 * _MINUTES)
            found += await _on(number, "scene_detection", video, folder, options.segment_seconds)
    whole = {run.pipeline: run.seconds for run in found if not run.segments}
    _same_rows(found)
    report.table(
        f"Seconds from the POST until the job has ended, of {_MINUTES} minutes of video",
        ["pipeline", "workers", "segments", "seconds", "speed-up"],
        [
            [run.pipeline, run.workers, run.segments or "whole", run.seconds, _times(whole, run)]
            for run in found
        ],
    )
    raw = [[run.pipeline, run.workers, run.segments, run.seconds] for run in found]
    report.write_json(options.json, {"machine": machine.raw(), "options": vars(options), "runs": raw})


async def _on(workers: int, pipeline: str, video: Path, folder: Path, seconds: float) -> list[Run]:
    """In segments; with one worker whole before that."""
    path = os.pathsep.join(filter(None, (str(Path(__file__).parent), os.environ.get("PYTHONPATH"))))
    environment = {
        "FRAMELOOM_WORKER_EXTRA_PIPELINES": "harness.waiting:Waiting",
        "FRAMELOOM_WORKER_PIPELINES": pipeline,
        "FRAMELOOM_SCHEDULER_SEGMENT_SECONDS": str(seconds),
        "FRAMELOOM_SCHEDULER_SEGMENT_ABOVE_SECONDS": str(_ABOVE_SECONDS),
        "PYTHONPATH": path,
    }
    data = folder / f"data-{pipeline}-{workers}"
    runs = []
    async with (
        stack.running(data, workers=workers, environment=environment) as running,
        Client.connected(running.base_url, running.api_key) as client,
    ):
        for cut in (False, True) if workers == 1 else (True,):
            began = time.perf_counter()
            sent = await client.submit(video, pipeline, config={"segments": cut}, name="long.mp4")
            await client.ended(sent, _PATIENCE_SECONDS)
            took = time.perf_counter() - began
            result = (await client.results(sent.id))["pipeline_results"][pipeline]
            pieces = _segments(_PIPELINES[pipeline], seconds) if cut else 0
            runs.append(Run(pipeline, workers, pieces, took, int(result["annotation_count"])))
            print(f"{pipeline}: {workers} worker(s), {pieces or 'no'} segments: {took:.1f} s", flush=True)
    return runs


def _segments(pipeline: type[Pipeline], seconds: float) -> int:
    """As the scheduler cuts ten minutes of MP4."""
    facts = MediaFacts(container="mov", duration_seconds=60.0 * _MINUTES)
    return len(segments.cut(facts, pipeline.segmentation, {}, segments.Limits(seconds, _ABOVE_SECONDS)))


def _same_rows(found: Sequence[Run]) -> None:
    """A stitch that loses or doubles something is no speed-up."""
    for pipeline in {run.pipeline for run in found}:
        counts = {run.rows for run in found if run.pipeline == pipeline}
        if len(counts) != 1:
            raise BenchmarkError(f"{pipeline} does not give the same number of rows: {sorted(counts)}")


def _times(whole: dict[str, float], run: Run) -> float | None:
    return whole[run.pipeline] / run.seconds if run.pipeline in whole else None


def _small(path: Path) -> Path:
    """A video that costs next to nothing to decode, with a key frame a second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(_FPS), options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 64, 36, "yuv420p", _FPS
        for number in range(60 * _MINUTES * _FPS):
            picture = np.full((36, 64, 3), number % 256, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


if __name__ == "__main__":
    sys.exit(main())
