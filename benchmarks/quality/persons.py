"""How well and how fast persons are found and followed.

    python benchmarks/quality/persons.py [--vtest vtest.avi] [--sheet sheet.png]

`vtest.avi` is in Debian's package opencv-doc (795 frames of a street, 10 a second); without it only the
sample clips are looked at. `--sheet` draws some frames of the sample clip with their boxes.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from frameloom.common.pipelines import Item
from frameloom.worker.frames.base import FrameRequest, Sampling, open_frames
from frameloom.worker.models import ModelStore
from frameloom.worker.pipelines import run
from frameloom.worker.pipelines.person_tracking import PersonTracking
from frameloom.worker.pipelines.persons.bytetrack import ByteTracker
from frameloom.worker.pipelines.persons.detector import SIDE, PersonDetector

KNOWN = {"wolfgang": 1, "single-face": 1, "multi-face": 5, "no-face": 0}
"""Persons in each frame of a sample."""
LONG = 30

Row = dict[str, Any]


def annotated(path: Path, config: Row) -> tuple[list[Row], list[Row], int, float, float]:
    """Rows, persons, frames, seconds of the clock and of the processor."""
    items: list[Item] = []
    clock, processor = time.perf_counter(), time.process_time()
    summary = run(
        PersonTracking.configured(config, ModelStore()),
        path,
        emit=lambda rows, *_: items.extend(rows),
        progress=lambda _: None,
    )
    spent = time.perf_counter() - clock, time.process_time() - processor
    rows = [item.row for item in items if item.list == "annotations"]
    return rows, [i.row for i in items if i.list == "person_tracks"], summary.frames, *spent


def samples(store: ModelStore) -> None:
    """Persons found in clips and pictures with known numbers, at a threshold of 0.35."""
    detector = PersonDetector(store)
    print("sample            persons  found  extra  frames")
    for name, known in KNOWN.items():
        found = extra = frames = 0
        for pictures in _pictures(store.path(name)):
            for persons in detector.find(pictures, least_score=0.35, overlap=0.5, most=50):
                frames += 1
                found += min(known, len(persons))
                extra += max(0, len(persons) - known)
        print(f"{name:<16} {known * frames:>8} {found:>6} {extra:>6} {frames:>7}")


def _pictures(path: Path) -> Iterator[npt.NDArray[np.uint8]]:
    """Two frames a second of a clip, or the one picture, as the detector wants them."""
    if path.suffix == ".jpg":
        picture = cv2.imread(str(path))
        yield cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)[None]
        return
    with open_frames(path, FrameRequest(Sampling.per_second(2), size=(SIDE, SIDE), batch_size=4)) as source:
        for batch in source:
            yield batch.pixels


def street(path: Path) -> None:
    """Tracks and speed on vtest.avi under some configurations."""
    print("\nconfiguration                    persons  >30  relinked   rows    fps  CPU ms/frame")
    configs: list[Row] = [
        {},
        {"relink": False},
        {"precision": "bfloat16"},
        {"pps": 5},
        {"pps": 2},
        {"pps": 1},
    ]
    for config in configs:
        rows, persons, frames, clock, processor = annotated(path, config)
        long = sum(count > LONG for count in Counter(row["track_id"] for row in rows).values())
        relinked = sum(person["relinked"] for person in persons)
        print(
            f"{config!s:<32} {len(persons):>7} {long:>4} {relinked:>9} {len(rows):>6} "
            f"{frames / clock:>6.1f} {processor / frames * 1000:>9.1f}"
        )


def overhead(path: Path, store: ModelStore) -> None:
    """Milliseconds that the tracker adds to a frame."""
    detector, tracker = PersonDetector(store), ByteTracker(0.4, 1.0, start_score=0.5)
    spent = []
    with open_frames(path, FrameRequest(Sampling.every_frame(), size=(SIDE, SIDE), batch_size=8)) as source:
        for batch in source:
            persons = detector.find(batch.pixels, least_score=0.1, overlap=0.5, most=50)
            for found, timestamp in zip(persons, batch.timestamps, strict=True):
                begin = time.process_time()
                tracker.update(found.boxes * 700.0, found.scores.astype(float), float(timestamp))
                spent.append((time.process_time() - begin) * 1000)
    print(f"\ntracker: {np.median(spent):.2f} ms a frame (median), {np.percentile(spent, 95):.2f} (p95)")


def sheet(path: Path, out: Path) -> None:
    """Six frames with the boxes of their rows, side by side."""
    rows, *_ = annotated(path, {"pps": 1})
    pictures = []
    with open_frames(path, FrameRequest(Sampling.per_second(1), batch_size=1)) as source:
        for batch in source:
            picture = batch.pixels[0].copy()
            for row in rows:
                if row["frame_number"] == batch.frame_numbers[0]:
                    left, top, width, height = (round(value) for value in row["bbox"])
                    cv2.rectangle(picture, (left, top), (left + width, top + height), (60, 220, 60), 3)
                    told = f"{row['track_id']}  {row['score']:.2f}"
                    cv2.putText(picture, told, (left + 8, top + 28), 0, 1.0, (60, 220, 60), 3)
            pictures.append(cv2.resize(picture, (160, 90), interpolation=cv2.INTER_AREA))
    chosen = [pictures[i] for i in np.linspace(0, len(pictures) - 1, 6).round().astype(int)]
    image = np.vstack([np.hstack(chosen[:3]), np.hstack(chosen[3:])])
    cv2.imwrite(str(out), image, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    print(f"{out}: {out.stat().st_size} bytes")


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vtest", type=Path)
    parser.add_argument("--sheet", type=Path)
    arguments = parser.parse_args()
    store = ModelStore()
    store.pull([*PersonTracking.required_models, *KNOWN])
    if arguments.sheet:
        sheet(store.path("wolfgang"), arguments.sheet)
        return
    samples(store)
    if arguments.vtest is None:
        print("\nvtest.avi was not named: tracks and speed were not measured", file=sys.stderr)
        return
    street(arguments.vtest)
    overhead(arguments.vtest, store)


if __name__ == "__main__":
    main()
