"""How well faces, identities and emotions are told, and how long that takes.

    python benchmarks/quality/faces.py [--sheet sheet.jpg]

Runs `face_analysis` on the sample clips and pictures. `--sheet` draws three frames with boxes, points and
emotions.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterator
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from frameloom.common.pipelines import Item
from frameloom.worker.frames.base import FrameRequest, Sampling, open_frames
from frameloom.worker.models import ModelStore
from frameloom.worker.pipelines import run
from frameloom.worker.pipelines.face_analysis import FaceAnalysis
from frameloom.worker.pipelines.faces.expressions import ExpressionReader, LandmarkFinder
from frameloom.worker.pipelines.faces.models import FaceEmbedder, FaceFinder

KNOWN = {"wolfgang": 1, "single-face": 1, "multi-face": 5, "no-face": 0}
"""Faces in each frame of a sample."""
SAME = {"noface-face": "single-face"}
"""Samples that show the same person."""
PHASES = ((1.0, 5.0, "sad"), (7.0, 9.0, "neutral"), (11.0, 19.0, "happy"))
"""Of the actress, as people saw them; in the second she is worried, with a hand before her mouth."""
MODELS = (
    "yunet",
    "sface",
    "face-expressions",
    "face-expressions-layout",
    "face-landmarks-68",
    "face-landmarks-68-layout",
)

Row = dict[str, Any]
Picture = npt.NDArray[np.uint8]


def pictures(path: Path, per_second: float) -> Iterator[tuple[float, Picture]]:
    """Frames of a clip with their times, or the one picture."""
    if path.suffix == ".jpg":
        yield 0.0, np.asarray(cv2.imread(str(path)), np.uint8)
        return
    with open_frames(path, FrameRequest(Sampling.per_second(per_second), batch_size=4)) as source:
        for batch in source:
            yield from zip((float(t) for t in batch.timestamps), batch.pixels, strict=True)


def found(store: ModelStore) -> None:
    """Faces found in samples with known numbers, at the default threshold."""
    print("sample            faces  found  extra  frames")
    for name, known in KNOWN.items():
        hits = extra = frames = 0
        for _, picture in pictures(store.path(name), 5):
            faces = FaceFinder(store, (picture.shape[1], picture.shape[0]), 0.7).find(picture)
            frames += 1
            hits += min(known, len(faces))
            extra += max(0, len(faces) - known)
        print(f"{name:<16} {known * frames:>6} {hits:>6} {extra:>6} {frames:>7}")


def identities(store: ModelStore) -> None:
    """Equal error rate of SFace over all pairs of faces of the samples."""
    embedder = FaceEmbedder(store)
    people: list[tuple[str, npt.NDArray[np.float32]]] = []
    for name in ("wolfgang", "single-face", "multi-face", "noface-face"):
        for _, picture in pictures(store.path(name), 1):
            faces = FaceFinder(store, (picture.shape[1], picture.shape[0]), 0.7).find(picture)
            for place, face in enumerate(faces):
                who = f"{name}-{place}" if name == "multi-face" else SAME.get(name, name)
                people.append((who, embedder.embed(picture, face)))
    same, other = [], []
    for (a, x), (b, y) in combinations(people, 2):
        (same if a == b else other).append(float(x @ y))
    limits = np.linspace(-1, 1, 4001)
    missed = np.array([np.mean(np.array(same) < limit) for limit in limits])
    taken = np.array([np.mean(np.array(other) >= limit) for limit in limits])
    at = int(np.abs(missed - taken).argmin())
    print(
        f"\nidentities: {len(people)} faces of {len({who for who, _ in people})} people, "
        f"EER {(missed[at] + taken[at]) / 2:.1%} at {limits[at]:.2f}; "
        f"at 0.363 {np.mean(np.array(same) < 0.363):.1%} missed, "
        f"{np.mean(np.array(other) >= 0.363):.1%} taken"
    )


def annotated(store: ModelStore, config: Row) -> tuple[list[Row], float, float]:
    """Rows of the actress, seconds of the clock and of the processor."""
    items: list[Item] = []
    clock, processor = time.perf_counter(), time.process_time()
    run(
        FaceAnalysis.configured(config, store),
        store.path("wolfgang"),
        emit=lambda rows, *_: items.extend(rows),
        progress=lambda _: None,
    )
    spent = time.perf_counter() - clock, time.process_time() - processor
    return [item.row for item in items if item.list == "annotations"], *spent


def emotions(store: ModelStore) -> None:
    """Emotions of the actress in the three phases, without and with the past."""
    print("\nemotion_smoothing_seconds   sad 1-5 s   neutral 7-9 s   happy 11-19 s   changes   in the second")
    for seconds in (0.0, 0.2, 0.4, 0.8):
        rows, *_ = annotated(store, {"emotion_smoothing_seconds": seconds})
        shares, middle = [], Counter[str]()
        for begin, end, word in PHASES:
            seen = [row["emotion"] for row in rows if begin <= row["timestamp"] <= end]
            shares.append(seen.count(word) / len(seen))
            if word == "neutral":
                middle = Counter(seen)
        words = [row["emotion"] for row in rows]
        changes = sum(a != b for a, b in pairwise(words))
        print(
            f"{seconds:>25} {shares[0]:>11.0%} {shares[1]:>15.0%} {shares[2]:>15.0%} {changes:>9}   "
            f"{', '.join(f'{word} {count}' for word, count in middle.most_common())}"
        )


def speed(store: ModelStore) -> None:
    """What the parts cost."""
    print("\nconfiguration                              frames/s   CPU ms/frame")
    for config in (
        {"detect_emotions": False},
        {},
        {"landmarks_68": True},
    ):
        rows, clock, processor = annotated(store, config)
        frames = len({row["frame_number"] for row in rows})
        print(f"{config!s:<42} {frames / clock:>8.1f} {processor / frames * 1000:>14.1f}")
    picture = next(pictures(store.path("multi-face"), 1))[1]
    faces = [face.box for face in FaceFinder(store, (1000, 667), 0.7).find(picture)]
    for name, ask in (
        ("emotions", ExpressionReader(store).read),
        ("68 points", LandmarkFinder(store).find),
    ):
        spent = []
        for _ in range(15):
            begin = time.process_time()
            ask(picture, faces)
            spent.append((time.process_time() - begin) * 1000 / len(faces))
        print(f"{name}: {np.median(spent):.1f} CPU ms a face, {len(faces)} at once (median of 15)")


def sheet(store: ModelStore, out: Path) -> None:
    """Three moments of the actress, each with box, points and emotion."""
    rows, *_ = annotated(store, {"landmarks_68": True})
    drawn = []
    for time_, picture in pictures(store.path("wolfgang"), 5):
        if not any(abs(time_ - moment) < 0.1 for moment in (2.0, 8.0, 14.0)) or len(drawn) == 3:
            continue
        image = picture.copy()
        for row in (row for row in rows if abs(row["timestamp"] - time_) < 0.01):
            left, top, width, height = (round(value) for value in row["bbox"])
            cv2.rectangle(image, (left, top), (left + width, top + height), (60, 220, 60), 3)
            for x, y in row["landmarks_68"]:
                cv2.circle(image, (round(x), round(y)), 2, (60, 220, 220), -1)
            told = f"{row['face_id']}  {row['emotion']} {row['emotion_confidence']:.2f}"
            cv2.putText(image, told, (12, 40), 0, 1.2, (60, 220, 60), 3)
        drawn.append(cv2.resize(image, (256, 144), interpolation=cv2.INTER_AREA))
    cv2.imwrite(str(out), np.hstack(drawn), [cv2.IMWRITE_JPEG_QUALITY, 85])
    print(f"{out}: {out.stat().st_size} bytes")


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sheet", type=Path)
    arguments = parser.parse_args()
    store = ModelStore()
    store.pull([*MODELS, *KNOWN, "noface-face"])
    if arguments.sheet:
        sheet(store, arguments.sheet)
        return
    found(store)
    identities(store)
    emotions(store)
    speed(store)


if __name__ == "__main__":
    main()
