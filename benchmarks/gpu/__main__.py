"""Decoding on a GPU: speed, use of NVDEC, parity with the CPU, memory after a cancel. All in one go.

    python -m benchmarks.gpu [--seconds 20] [--json FILE] [--no-models] [--only h264]

Without a GPU it says so and runs DALI's CPU half on what that reads. It needs frameloom-worker with its
extras torch and dali (see README.md beside it, also for machines without a network), and nothing else of
Frameloom.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.gpu import parts
from benchmarks.gpu.clips import CLIPS, Clip, made
from benchmarks.gpu.watch import Card
from benchmarks.harness.report import Cell, table

from frameloom.worker.frames import Sampling
from frameloom.worker.frames.dali.driver import dali_version

_CPU_HALF = ("vp9", "mjpeg")
"""What DALI decodes without a GPU."""


def main() -> int:
    """Runs everything and prints it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=int, default=20, help="length of each clip")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures here")
    parser.add_argument("--only", default="", help="only clips whose name contains this")
    parser.add_argument("--clips", type=Path, help="where clips are kept; else a temporary folder")
    parser.add_argument("--processes", type=int, nargs="*", default=[1, 2, 4], help="at once over one file")
    parser.add_argument("--no-models", action="store_true", help="leave out what needs models")
    options = parser.parse_args()
    if dali_version() is None:
        print("DALI is not installed: pip install 'nvidia-dali-cuda130>=2.4,<3'", file=sys.stderr)
        return 2
    card = Card()
    found: dict[str, object] = {"machine": _machine(card)}
    print("\n".join(f"{name}: {value}" for name, value in _machine(card).items()))
    if not parts.has_gpu():
        print("\nNO GPU HERE: what follows is DALI's CPU half, which says nothing of a GPU's speed.")
    with tempfile.TemporaryDirectory(prefix="frameloom-gpu-") as temporary:
        folder = options.clips or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        chosen = [clip for clip in CLIPS if options.only in clip.name and _readable(clip)]
        files = {clip.name: made(folder, clip, options.seconds) for clip in chosen}
        found["decode"] = _decode(files, card)
        found["parity"] = _parity(files)
        first = next(iter(files.values()))
        found["sampling"] = _sampling(first, card)
        found["side_by_side"] = _side_by_side(first, card, options.processes)
        found["cancel"] = _cancel(first, card)
        if not options.no_models:
            found["end_to_end"] = _end_to_end(first, card)
    if options.json:
        options.json.write_text(json.dumps(found, indent=2), encoding="utf-8")
        print(f"\nall figures: {options.json}")
    return 0


def _readable(clip: Clip) -> bool:
    return parts.has_gpu() or clip.name.startswith(_CPU_HALF)


def _machine(card: Card) -> dict[str, object]:
    def installed(name: str) -> str:
        try:
            return version(name)
        except PackageNotFoundError:
            return "-"

    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
        "gpu": card.facts() or "none",
        "dali": dali_version(),
        "torch": installed("torch"),
        "pyav": installed("av"),
    }


_HEAD = ("frames/s", "CPU ms/frame", "NVDEC %", "GPU %", "GPU MiB", "decoder")


def _row(name: str, figures: parts.Figures) -> list[Cell]:
    return [
        name,
        figures.get("frames_per_second"),
        figures.get("cpu_ms_per_frame"),
        figures.get("nvdec_percent"),
        figures.get("gpu_percent"),
        figures.get("gpu_memory_mib"),
        figures.get("reason") or figures.get("decoder"),
    ]


def _decode(files: dict[str, Path], card: Card) -> dict[str, list[parts.Figures]]:
    found = {}
    for name, path in files.items():
        measured = [
            parts.decoder_alone(path, card, 1),
            parts.decoder_alone(path, card, None),
            parts.delivered(path, card, "pyav", threads=1),
            parts.delivered(path, card, "pyav"),
            parts.delivered(path, card, "dali"),
            parts.delivered(path, card, "dali", size=None),
        ]
        ways = ["decoder alone, 1 thread", "decoder alone", "PyAV to 640x360, 1 thread", "PyAV to 640x360"]
        ways += ["DALI to 640x360", "DALI at its own size"]
        table(name, ("", *_HEAD), [_row(way, one) for way, one in zip(ways, measured, strict=True)])
        found[name] = measured
    return found


def _parity(files: dict[str, Path]) -> dict[str, parts.Figures]:
    found = {name: parts.parity(path) for name, path in files.items()}
    table(
        "Parity of the decoders at 640x360; passed: same times, mean difference below 3 of 255",
        ("clip", "frames", "same times", "mean", "p99", ""),
        [
            [
                name,
                one.get("frames"),
                {True: "yes", False: "NO"}.get(one.get("same_times")),
                one.get("mean_difference"),
                one.get("p99_difference"),
                one.get("reason") or ("passed" if one["passed"] else "FAILED"),
            ]
            for name, one in found.items()
        ],
    )
    return found


def _sampling(path: Path, card: Card) -> dict[str, parts.Figures]:
    samplings: Sequence[tuple[str, Sampling]] = (
        ("5 a second", Sampling.per_second(5)),
        ("1 in 5 s", Sampling.per_second(0.2)),
        ("key frames", Sampling.key_frames()),
    )
    found = {
        f"{way}, {backend}": parts.delivered(path, card, backend, sampling=sampling)
        for way, sampling in samplings
        for backend in ("pyav", "dali")
    }
    rows = [
        [name, one.get("frames"), one.get("seconds"), one.get("cpu_seconds")] for name, one in found.items()
    ]
    table(f"Sampling: {path.name}", ("", "frames", "seconds", "CPU s"), rows)
    return found


def _side_by_side(path: Path, card: Card, processes: Sequence[int]) -> list[parts.Figures]:
    found = [parts.side_by_side(path, card, way, count) for way in ("pyav", "dali") for count in processes]
    rows = [_row(f"{one['decoder']}, {one['processes']} processes", one) for one in found]
    table(f"Processes side by side, with their start: {path.name}", ("", *_HEAD), rows)
    return found


def _cancel(path: Path, card: Card) -> parts.Figures:
    one = parts.cancelled(path, card, "dali")
    columns = ("device", "held_mib", "process_gone_ms", "memory_back_ms", "left_mib")
    table(
        "A process killed while it decodes",
        ("decoder", "device", "held on the card, MiB", "process gone, ms", "memory back, ms", "left, MiB"),
        [[str(one.get("reason") or one["decoder"]), *(one.get(name) for name in columns)]],
    )
    return one


def _end_to_end(path: Path, card: Card) -> dict[str, parts.Figures]:
    ways = [("PyAV, models on the CPU", "pyav", "cpu")]
    if parts.has_gpu():
        ways += [("PyAV, models on the GPU", "pyav", "auto"), ("DALI, models on the GPU", "auto", "auto")]
    else:
        ways += [("DALI's CPU half, models on the CPU", "dali", "cpu")]
    found = {name: parts.end_to_end(path, card, frames, device) for name, frames, device in ways}
    table(
        f"person_tracking, every frame: {path.name}",
        ("", *_HEAD),
        [_row(name, one) for name, one in found.items()],
    )
    return found


if __name__ == "__main__":
    sys.exit(main())
