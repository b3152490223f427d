"""How well faces, identities and emotions are told, and how long that takes.

    python benchmarks/quality/faces.py [--sheet sheet.jpg]

Runs `face_analysis` on the sample clips and pictures. `--sheet` draws three frames with boxes, points and
emotions.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from frameloom.common.events import Provenance
from frameloom.common.pipelines import ArtefactSpec, Item
from frameloom.results.assembly import assemble
from frameloom.worker.frames.base import FrameRequest, Sampling, open_frames
from frameloom.worker.models import ModelStore
from frameloom.worker.pipelines import Pipeline, run
from frameloom.worker.pipelines.face_analysis import FaceAnalysis
from frameloom.worker.pipelines.faces.expressions import ExpressionReader, LandmarkFinder
from frameloom.worker.pipelines.faces.models import FaceEmbedder, FaceFinder
from frameloom.worker.pipelines.person_tracking import PersonTracking
from frameloom.worker.testing import write_clip

KNOWN = {"wolfgang": 1, "single-face": 1, "multi-face": 5, "no-face": 0}
"""Faces in each frame of a sample."""
SAME = {"noface-face": "single-face"}
"""Samples that show the same person."""
FIVE = {262.0: 15.0, 362.0: 210.0, 475.0: 160.0, 582.0: 285.0, 738.0: 255.0}
"""In the picture of five: the middle of each face, across, and where this person's head begins, in pixels."""
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


def links(store: ModelStore, folder: Path, drawn: Path | None) -> None:
    """Faces linked to persons where it is known who is whose; and how long an hour takes."""
    print("\nclip                 faces  linked  wrong  persons linked  known")
    clips = {
        "wolfgang": (store.path("wolfgang"), {450.0: None}),
        "multi-face, 2 s": (_still(store.path("multi-face"), folder / "five.mp4"), FIVE),
        "two beside, changed": (_beside(store, folder / "two.mp4"), {160.0: None, 480.0: None}),
    }
    for name, (clip, truth) in clips.items():
        known = len(truth)
        faces = rows_of(FaceAnalysis, clip, store, {})
        persons = rows_of(PersonTracking, clip, store, {"conf_threshold": 0.3, "start_threshold": 0.3})
        document, _ = joined(faces, persons)
        rows = document["annotations"]
        linked = [row for row in rows if "track_id" in row]
        wrong = sum(not _right(row, persons["annotations"], truth) for row in linked)
        people = len({row["track_id"] for row in linked})
        print(f"{name:<20} {len(rows):>5} {len(linked):>7} {wrong:>6} {people:>15} {known:>6}")
        if drawn is not None and known == 5:
            _draw(clip, rows, persons["annotations"], drawn)
    hour = 3600
    faces = {
        "annotations": [
            {"id": i, "face_id": k, "bbox": [60.0 + 300 * k, 20.0, 40.0, 50.0], "timestamp": i / 5}
            for i in range(5 * hour)
            for k in range(2)
        ],
        "images": [],
    }
    persons = {
        "annotations": [
            {"person_id": f"p{k}", "track_id": k, "bbox": [300.0 * k, 0.0, 160.0, 400.0], "timestamp": i / 10}
            for i in range(10 * hour)
            for k in range(3)
        ],
        "person_tracks": [],
    }
    document, seconds = joined(faces, persons)
    print(f"an hour with 2 faces and 3 persons: {len(document['annotations'])} rows in {seconds:.1f} CPU s")


def rows_of(kind: type[Pipeline], clip: Path, store: ModelStore, config: Row) -> dict[str, list[Row]]:
    """All rows of a pipeline, by list."""
    rows: dict[str, list[Row]] = {"annotations": [], "images": [], "person_tracks": []}
    run(
        kind.configured(config, store),
        clip,
        emit=lambda items, *_: [rows[item.list].append(item.row) for item in items] and None,
        progress=lambda _: None,
    )
    return rows


def joined(faces: dict[str, list[Row]], persons: dict[str, list[Row]]) -> tuple[Row, float]:
    """The file of the results service, and the seconds of the processor that it took."""

    def rows(name: str) -> AsyncIterator[list[bytes]]:
        source = persons[name.partition("/")[2]] if "/" in name else faces[name]

        async def batches() -> AsyncIterator[list[bytes]]:
            for begin in range(0, len(source), 500):
                yield [json.dumps(row).encode() for row in source[begin : begin + 500]]

        return batches()

    now = datetime.now(UTC)
    facts = {"input_sha256": "0", "pipeline": "face_analysis", "pipeline_version": "1", "decoder": "d"}
    told = Provenance(**facts, frameloom_version="1", worker="w", started_at=now, ended_at=now)
    spec = ArtefactSpec(suffix="_links.json", writer="face_links", joins="person_tracking")
    out, begin = io.BytesIO(), time.process_time()
    asyncio.run(assemble(spec, told, rows, out))
    return json.loads(out.getvalue()), time.process_time() - begin


def _right(face: Row, persons: list[Row], truth: Mapping[float, float | None]) -> bool:
    """Whether the person of a face is the one whose head is there, by the eye's measure.

    Args:
        face: Its row.
        persons: All rows of persons.
        truth: The middle of each face, across, and the top of its person's box; None: nobody else is there.
    """
    middle = face["bbox"][0] + face["bbox"][2] / 2
    wanted = truth[min(truth, key=lambda x: abs(x - middle))]
    mine = [row for row in persons if row["track_id"] == face["track_id"]]
    box = min(mine, key=lambda row: abs(row["timestamp"] - face["timestamp"]))["bbox"]
    high = wanted is None or abs(box[1] - wanted) < 30
    return bool(high and box[0] <= middle <= box[0] + box[2])


def _still(picture: Path, clip: Path) -> Path:
    image = np.asarray(cv2.imread(str(picture)), np.uint8)
    image = image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2, ::-1]
    return write_clip(clip, [np.ascontiguousarray(image)] * 50)


def _beside(store: ModelStore, clip: Path) -> Path:
    """Two people beside each other, who have changed places after two seconds."""
    halves = [
        [picture[:, left : left + 320, ::-1] for _, picture in pictures(store.path(name), 25)][:100]
        for name, left in (("wolfgang", 280), ("single-face", 160))
    ]
    count = min(50, *(len(half) for half in halves))
    frames = [np.hstack([a, b]) for a, b in zip(*(half[:count] for half in halves), strict=True)]
    return write_clip(clip, [*frames, *[np.hstack([f[:, 320:], f[:, :320]]) for f in frames]])


def _draw(clip: Path, faces: list[Row], persons: list[Row], out: Path) -> None:
    image = next(pictures(clip, 1))[1].copy()
    colours = ((60, 220, 60), (60, 60, 230), (230, 160, 40), (40, 200, 230), (220, 60, 220), (200, 200, 200))
    for row in [*persons, *faces]:
        if row["timestamp"] == 0:
            left, top, width, height = (round(value) for value in row["bbox"])
            colour = colours[int(row.get("track_id", 6)) % 6]
            cv2.rectangle(image, (left, top), (left + width, top + height), colour, 4)
    cv2.imwrite(str(out), image)


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
    parser.add_argument("--links", type=Path, help="draw the five people with the colours of their links")
    arguments = parser.parse_args()
    store = ModelStore()
    store.pull([*MODELS, *PersonTracking.required_models, *KNOWN, "noface-face"])
    if arguments.sheet:
        sheet(store, arguments.sheet)
        return
    found(store)
    identities(store)
    emotions(store)
    with tempfile.TemporaryDirectory() as folder:
        links(store, Path(folder), arguments.links)
    speed(store)


if __name__ == "__main__":
    main()
