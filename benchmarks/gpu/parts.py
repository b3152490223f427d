"""What is measured: each function does one thing, and gives figures for a table and for the JSON file."""

from __future__ import annotations

import functools
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import numpy as np
from benchmarks.gpu.watch import Card

from frameloom.worker.errors import TaskError
from frameloom.worker.frames import FrameRequest, Sampling, open_frames
from frameloom.worker.frames.dali.driver import gpu
from frameloom.worker.media.probe import probe

EVERY = Sampling.every_frame()
SMALL = (640, 360)
Figures = dict[str, Any]
_FREED_WITHIN_BYTES = 32 * 2**20


@contextmanager
def timed(figures: Figures, card: Card) -> Iterator[None]:
    """Adds seconds of the clock and of the processor, and what the card did."""
    clock, processor = time.perf_counter(), sum(os.times()[:4])
    with card.watching() as watched:
        yield
    figures["seconds"] = time.perf_counter() - clock
    figures["cpu_seconds"] = sum(os.times()[:4]) - processor
    figures.update(watched.figures())
    if figures.get("frames"):
        figures["frames_per_second"] = figures["frames"] / figures["seconds"]
        figures["cpu_ms_per_frame"] = figures["cpu_seconds"] * 1000 / figures["frames"]


def decoder_alone(path: Path, card: Card, threads: int | None) -> Figures:
    """PyAV's decoder, whose pictures nobody converts."""
    figures: Figures = {"decoder": f"pyav, decode only, {threads or 'all'} threads", "frames": 0}
    with timed(figures, card), av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_type = "NONE" if threads == 1 else "AUTO"
        stream.codec_context.thread_count = threads or 0
        for _ in container.decode(stream):
            figures["frames"] += 1
    return figures


def delivered(
    path: Path,
    card: Card,
    backend: str,
    *,
    sampling: Sampling = EVERY,
    size: tuple[int, int] | None = SMALL,
    threads: int | None = None,
) -> Figures:
    """Frames that a pipeline would get, as tensors where they lie."""
    figures: Figures = {"decoder": backend, "frames": 0}
    request = FrameRequest(sampling, size=size, colour="rgb", batch_size=16)
    try:
        media = probe(path)
        opened = functools.partial(open_frames, path, request, media=media, backend=backend)
        with timed(figures, card), opened(threads=threads) as source:
            for batch in source:
                figures["frames"] += len(batch)
            figures["decoder"], figures["device"] = source.backend, source.device
    except (TaskError, ValueError) as error:
        figures["reason"] = str(error)
    return figures


def end_to_end(path: Path, card: Card, frames: str, device: str) -> Figures:
    """The pipeline ``person_tracking`` over the file: decoder, detector and tracker."""
    from frameloom.worker.models import ModelStore  # noqa: PLC0415 - not needed with --no-models
    from frameloom.worker.pipelines import run  # noqa: PLC0415
    from frameloom.worker.pipelines.person_tracking import PersonTracking  # noqa: PLC0415

    os.environ["FRAMELOOM_WORKER_FRAMES"], os.environ["FRAMELOOM_RUNTIME_DEVICE"] = frames, device
    figures: Figures = {"frames": 0}
    try:
        pipeline = PersonTracking.configured({"pps": 240}, ModelStore())
        pipeline.load()
        with timed(figures, card):
            summary = run(pipeline, path, emit=lambda *_: None, progress=lambda _: None)
            figures["frames"], figures["decoder"] = summary.frames, summary.backend
    except (TaskError, ValueError) as error:
        figures["reason"] = str(error)
    finally:
        os.environ.pop("FRAMELOOM_WORKER_FRAMES", None)
        os.environ.pop("FRAMELOOM_RUNTIME_DEVICE", None)
    return figures


def parity(path: Path, *, limit: int = 64) -> Figures:
    """The first frames by both decoders: the same times and numbers, and how far pixels are apart."""
    figures: Figures = {}
    opened = functools.partial(open_frames, path, FrameRequest(EVERY, size=SMALL, batch_size=16))
    differences: list[float] = []
    widest, same = 0.0, True
    try:
        with opened(backend="pyav") as ours, opened(backend="dali") as theirs:
            for one, other in zip(ours, theirs, strict=False):
                same &= one.timestamps.tolist() == other.timestamps.tolist()
                same &= one.frame_numbers.tolist() == other.frame_numbers.tolist()
                apart = np.abs(one.pixels.astype(np.int16) - other.pixels)
                differences += apart.mean(axis=(1, 2, 3)).tolist()
                widest = max(widest, float(np.percentile(apart, 99)))
                if len(differences) >= limit:
                    break
        figures = {
            "frames": len(differences),
            "same_times": same,
            "mean_difference": max(differences),
            "p99_difference": widest,
            "passed": same and max(differences) < 3.0,
        }
    except (TaskError, ValueError) as error:
        figures["reason"] = str(error)
    return figures


def _decode_forever(path: str, backend: str, pipe: Any) -> None:
    """In a child: holds the decoder, and memory on the card, until it is killed."""
    kept = []
    while True:
        with open_frames(path, FrameRequest(EVERY, batch_size=32), backend=backend) as source:
            for batch in source:
                if len(kept) < 8:
                    kept.append(batch.torch() if batch.device != "cpu" else batch.pixels)
                elif pipe is not None:
                    pipe.send(batch.device)
                    pipe = None


def cancelled(path: Path, card: Card, backend: str) -> Figures:
    """Kills a process in the midst of decoding, as a cancel does; how soon its memory on the card is back."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    before = card.memory()
    child = context.Process(target=_decode_forever, args=(str(path), backend, sender), daemon=True)
    child.start()
    figures: Figures = {"decoder": backend}
    try:
        if not receiver.poll(120):
            return figures | {"reason": "the child did not come to decode"}
        figures["device"] = receiver.recv()
        during = card.memory()
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
        killed = time.perf_counter()
        child.join()
        figures["process_gone_ms"] = (time.perf_counter() - killed) * 1000
        while card.memory() > before + _FREED_WITHIN_BYTES and time.perf_counter() - killed < 30:
            time.sleep(0.005)
        figures["memory_back_ms"] = (time.perf_counter() - killed) * 1000 if card.handle else None
        figures["held_mib"] = (during - before) / 2**20
        figures["left_mib"] = (card.memory() - before) / 2**20
    finally:
        child.kill()
    return figures


def _decode_once(path: str, backend: str, threads: int, results: Any) -> None:
    results.put(delivered(Path(path), Card(), backend, threads=threads).get("frames", 0))


def side_by_side(path: Path, card: Card, backend: str, processes: int) -> Figures:
    """Several processes, each over the whole file; they start anew, which is in the time."""
    context = multiprocessing.get_context("spawn")
    results: Any = context.Queue()
    figures: Figures = {"decoder": backend, "processes": processes, "frames": 0}
    children = [
        context.Process(target=_decode_once, args=(str(path), backend, 1, results), daemon=True)
        for _ in range(processes)
    ]
    with timed(figures, card):
        for child in children:
            child.start()
        figures["frames"] = sum(results.get(timeout=600) for _ in children)
        for child in children:
            child.join()
    return figures


def has_gpu() -> bool:
    """Whether CUDA has one."""
    return gpu() is not None
