"""What pipelines cost: alone, together over one decode, and the naive way.

    python benchmarks/pipelines.py FOLDER [--seconds 36] [--pipelines a,b] [--runs 3] [--threads 1] [--naive]

FOLDER is where `mix.py` keeps its videos; the mix of the wanted length is made there. Every measurement is a
process of its own, with cold models but for `warm`, so seconds, processor seconds and peak memory are those
of one job. The ways alternate within each run, and the medians are told.

* `decode`: the decoder alone, delivering nothing.
* a pipeline's name: that pipeline by itself.
* `together`: all of them as one run, as the worker runs a job.
* `warm`: the same a second time in one process, as a worker runs every job but its first.
* `naive`: all of them one after the other, each in a new process that loads its models; frames are sought one
  by one with OpenCV and looked at one by one, as VideoAnnotator does. Pipelines that want every frame read on
  without seeking, as PySceneDetect does in it.
"""
# ruff: noqa: PLC0415 - every way pays for its own imports only

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from harness.machine import Machine
from harness.report import arguments, median, table, write_json
from mix import mix, repeated

STANDARD = ("scene_detection", "person_tracking", "face_analysis", "audio_processing")
CONFIG: dict[str, dict[str, Any]] = {"person_tracking": {"pps": 5}, "face_analysis": {"pps": 5}}
Row = dict[str, Any]


class Counted:
    """A listener that counts."""

    def __init__(self) -> None:
        self.rows = self.frames = 0

    def emit(self, items: Any, _start: float, _end: float) -> None:
        """Counts rows."""
        self.rows += len(items)

    def progress(self, progress: Any) -> None:
        """Passes over it."""

    def done(self, summary: Any) -> None:
        """Keeps how many frames were looked at."""
        self.frames = summary.frames

    def failed(self, error: Exception) -> None:
        """Ends the measurement."""
        raise error

    def wanted(self) -> bool:
        """To the end."""
        return True


def decode(path: Path, threads: int | None) -> Row:
    """Every frame, scaled to nothing worth speaking of: the decoder's own speed."""
    import av

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_type = "NONE" if threads == 1 else "AUTO"
        stream.codec_context.thread_count = threads or 0
        return {"frames": sum(1 for _ in container.decode(stream)), "rows": 0}


def together(names: list[str], path: Path, threads: int | None) -> Row:
    """As the worker does it."""
    from frameloom.worker.models import ModelStore
    from frameloom.worker.pipelines import load_pipelines
    from frameloom.worker.pipelines.parts import Part
    from frameloom.worker.pipelines.runner import run_together

    kinds, store = load_pipelines(), ModelStore()
    heard = [Counted() for _ in names]
    parts = [
        Part(kinds[name].configured(CONFIG.get(name, {}), store), listener)
        for name, listener in zip(names, heard, strict=True)
    ]
    run_together(parts, path, threads=threads)
    return {"frames": max(one.frames for one in heard), "rows": sum(one.rows for one in heard)}


def naive(name: str, path: Path) -> Row:
    """One pipeline as VideoAnnotator runs it: OpenCV, frame by frame, batches of one."""
    import numpy as np

    from frameloom.worker.frames.base import FrameBatch
    from frameloom.worker.media.probe import probe
    from frameloom.worker.models import ModelStore
    from frameloom.worker.pipelines import FramePipeline, load_pipelines

    pipeline = load_pipelines()[name].configured(CONFIG.get(name, {}), ModelStore())
    if not isinstance(pipeline, FramePipeline):
        return together([name], path, None)
    media = probe(path)
    pipeline.video_id = path.stem
    pipeline.load()
    pipeline.begin(media)
    request = pipeline.request(media)
    size = request.size or (media.width, media.height)
    rows = frames = 0
    for found, number in _sought(path, request.sampling):
        picture = _resized(found, size, request.colour)
        batch = FrameBatch(picture[None], np.array([number / media.fps]), np.array([number]))
        rows += len(list(pipeline.process(batch)))
        frames += 1
    return {"frames": frames, "rows": rows + len(list(pipeline.finish()))}


def _sought(path: Path, sampling: Any) -> Iterator[tuple[Any, int]]:
    import cv2

    video = cv2.VideoCapture(str(path))
    total, fps = int(video.get(cv2.CAP_PROP_FRAME_COUNT)), video.get(cv2.CAP_PROP_FPS)
    step = fps / sampling.rate if sampling.kind == "rate" else 1.0
    numbers = range(total) if step <= 1 else [round(k * step) for k in range(int(total / step))]
    for number in numbers:
        if step > 1:
            video.set(cv2.CAP_PROP_POS_FRAMES, number)
        there, picture = video.read()
        if there:
            yield picture, number


def _resized(picture: Any, size: tuple[int, int], colour: str) -> Any:
    import cv2

    if (picture.shape[1], picture.shape[0]) != size:
        picture = cv2.resize(picture, size)
    return picture if colour == "bgr" else cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def measured(way: str, names: list[str], path: Path, threads: int | None) -> Row:
    """In this process: what it took, with everything that it needed first."""
    ways: dict[str, Callable[[], Row]] = {
        "decode": lambda: decode(path, threads),
        "together": lambda: together(names, path, threads),
        "warm": lambda: together(names, path, threads),
        "naive": lambda: naive(names[0], path),
    }
    before = 0.0
    if way == "warm":
        ways[way]()
        before = _processor()
    began = time.perf_counter()
    found = ways[way]()
    return {
        **found,
        "seconds": time.perf_counter() - began,
        "cpu": _processor() - before,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _processor() -> float:
    """Processor seconds of this process so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def apart(way: str, names: list[str], path: Path, options: argparse.Namespace) -> Row:
    """The same in a process of its own."""
    command = [sys.executable, __file__, str(path), "--way", way, "--pipelines", ",".join(names)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(options.threads), "FRAMELOOM_LOG_LEVEL": "ERROR"}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def summed(rows: list[Row]) -> Row:
    """One after the other."""
    total = {key: sum(row[key] for row in rows) for key in ("seconds", "cpu", "rows")}
    return {**total, **{key: max(row[key] for row in rows) for key in ("peak_mib", "frames")}}


def one_round(names: list[str], path: Path, options: argparse.Namespace) -> dict[str, Row]:
    """Every way once."""
    rows = {"decode": apart("decode", names, path, options)}
    rows |= {name: apart("together", [name], path, options) for name in names}
    rows["sum of them"] = summed([rows[name] for name in names])
    rows["together"] = apart("together", names, path, options)
    rows["warm"] = apart("warm", names, path, options)
    if options.naive:
        rows["naive"] = summed([apart("naive", [name], path, options) for name in names])
    return rows


def main() -> None:
    """Runs what the command line asks for."""
    parser = arguments(__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("folder", type=Path, help="where the mixes are kept")
    parser.add_argument("--seconds", type=int, default=36, help="length of the video: 36, or a multiple")
    parser.add_argument("--pipelines", default=",".join(STANDARD))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1, help="of the models, not of the decoder")
    parser.add_argument("--naive", action="store_true", help="also the naive way, which takes long")
    parser.add_argument("--way", help=argparse.SUPPRESS)
    options = parser.parse_args()
    names = options.pipelines.split(",")
    if options.way:
        print(json.dumps(measured(options.way, names, options.folder, None)))
        return
    path = mix(options.folder) if options.seconds == 36 else repeated(options.folder, options.seconds)
    machine = Machine.here()
    rounds = [one_round(names, path, options) for _ in range(options.runs)]
    middle = {
        way: {key: median([each[way][key] for each in rounds]) for key in rounds[0][way]} for way in rounds[0]
    }
    table(
        f"{options.seconds} s of 1080p30, medians of {options.runs}, {options.threads} model thread(s), "
        f"load before {machine.load:.1f}",
        ["way", "seconds", "real-time factor", "frames/s looked at", "CPU s", "peak MiB", "annotations"],
        [
            [
                way,
                row["seconds"],
                row["seconds"] / options.seconds,
                row["frames"] / row["seconds"],
                row["cpu"],
                round(row["peak_mib"]),
                round(row["rows"]),
            ]
            for way, row in middle.items()
        ],
    )
    apart_by = [each["sum of them"]["seconds"] / each["together"]["seconds"] for each in rounds]
    print(f"\ntogether is {median(apart_by):.2f} times as fast as one after the other")
    for way in ("together", "warm") if options.naive else ():
        ratio = [each["naive"]["seconds"] / each[way]["seconds"] for each in rounds]
        print(f"{way} is {median(ratio):.2f} times as fast as the naive way")
    write_json(options.json, {"machine": machine.raw(), "rounds": rounds})


if __name__ == "__main__":
    main()
