"""How exactly cuts are found, and how fast.

    python benchmarks/quality/scenes.py FOLDER

On the mix, whose cuts are known because it was made with them, and on the trailer of Big Buck Bunny. The
truth of the trailer was taken by hand: pictures looked at one by one around every jump and every low of
brightness; a fade goes from the first frame that darkens to the last one that brightens. Hard cuts must be
met to the frame; a fade or dissolve counts as found if a cut lies within it. FOLDER is where `mix.py` keeps
its files.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import mix
from harness.report import table

from frameloom.common.pipelines import Item
from frameloom.worker.models import ModelStore
from frameloom.worker.pipelines import run
from frameloom.worker.pipelines.scene_detection import SceneDetection

Row = dict[str, Any]


@dataclass(frozen=True)
class Transition:
    """Where a new scene begins: between two frames, both of them right."""

    first: int
    last: int
    hard: bool = True


TRAILER = (
    Transition(216, 264, hard=False),  # fade through black, black at 240
    Transition(312, 360, hard=False),  # the same, 336
    Transition(593, 593),
    Transition(744, 792, hard=False),  # 768
    Transition(864, 864),
    Transition(900, 900),
    Transition(988, 988),
    Transition(1049, 1049),
    Transition(1098, 1136, hard=False),  # dissolve, dark in the middle
    Transition(1204, 1252, hard=False),  # fade out, then a title
)
TRAILER_FPS = 24
CONFIGS: dict[str, Row] = {
    "content (default)": {},
    "content, threshold 27, 0.5 s": {"threshold": 27.0, "min_scene_length": 0.5},
    "adaptive": {"detector": "adaptive"},
    "transnetv2": {"detector": "transnetv2"},
}


def found(path: Path, config: Row) -> tuple[list[int], float]:
    """Frames at which scenes begin, without the first; and frames a second."""
    items: list[Item] = []
    clock = time.perf_counter()
    summary = run(
        SceneDetection.configured(config, ModelStore()),
        path,
        emit=lambda rows, *_: items.extend(rows),
        progress=lambda _: None,
    )
    rate = summary.frames / (time.perf_counter() - clock)
    begins = [item.row["frame_start"] for item in items if item.list == "annotations"]
    return begins[1:], rate


def judged(begins: list[int], truth: tuple[Transition, ...]) -> tuple[int, int, int]:
    """Found, false, missed. A second cut within one transition is false."""
    left = list(truth)
    false = 0
    for begin in begins:
        match = next((one for one in left if one.first <= begin <= one.last), None)
        if match is None:
            false += 1
        else:
            left.remove(match)
    return len(truth) - len(left), false, len(left)


def row(name: str, begins: list[int], truth: tuple[Transition, ...], rate: float) -> list[Any]:
    """A line of the table."""
    right, false, missed = judged(begins, truth)
    f1 = 2 * right / max(1, 2 * right + false + missed)
    hard = [one for one in truth if one.hard]
    hard_right = judged(begins, tuple(hard))[0]
    return [name, f"{right}/{len(truth)}", f"{hard_right}/{len(hard)}", false, round(f1, 3), round(rate)]


def main() -> None:
    """Prints both tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    clip = mix.mix(folder)
    trailer = mix.sources(folder)["trailer_bbb"]
    cuts = tuple(Transition(frame, frame) for frame in (round(cut * mix.FPS) for cut in mix.CUTS))
    head = ["detector", "found", "hard cuts", "false", "F1", "frames/s"]
    for title, path, truth in (
        (f"The mix: {len(cuts)} hard cuts, {mix.SECONDS} s at 1080p", clip, cuts),
        ("Trailer of Big Buck Bunny: 55 s at 720p, 5 hard cuts, 4 fades, 1 dissolve", trailer, TRAILER),
    ):
        rows = []
        for name, config in CONFIGS.items():
            begins, rate = found(path, config)
            rows.append(row(name, begins, truth, rate))
            print(name, begins, file=sys.stderr)
        table(title, head, rows)


if __name__ == "__main__":
    main()
