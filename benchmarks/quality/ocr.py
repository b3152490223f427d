"""How much text is found and read rightly, down to which size, and how long that takes.

    python benchmarks/quality/ocr.py FOLDER [--sheet sheet.png]

On the trailer of Big Buck Bunny, whose captions were read by eye; on the mix; and on lines of known height
that are drawn onto pictures of the mix. FOLDER is where `mix.py` keeps its files. `--sheet` draws some
pictures of the trailer with what was read.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import cv2
import mix
import numpy as np
import numpy.typing as npt
from harness.report import table

from frameloom.common.pipelines import Item
from frameloom.worker.frames.base import FrameRequest, Sampling, open_frames
from frameloom.worker.models import ModelStore
from frameloom.worker.pipelines import run
from frameloom.worker.pipelines.ocr import Ocr
from frameloom.worker.pipelines.parts import RunSummary
from frameloom.worker.pipelines.texts.finder import TextFinder
from frameloom.worker.pipelines.texts.reader import TextReader

Row = dict[str, Any]


@dataclass(frozen=True)
class Text:
    """A line that can be read between two times, in seconds, half faded in and out."""

    text: str
    start: float
    end: float


TRAILER = (
    Text("The Blender Foundation and", 4.0, 8.6),
    Text("Peach Project presents", 4.0, 8.6),
    Text("Big Buck", 5.6, 8.6),  # modelled, blue on green
    Text("BUNNY", 5.6, 8.6),
    Text("An unlucky bird", 10.2, 13.8),
    Text("A (slightly overweight) bunny", 16.4, 22.8),
    Text("And three rodent pests", 32.3, 35.9),
    Text("Revenge is coming...", 47.2, 51.4),
    Text("Made with", 52.2, 55.1),
    Text("MoviePy", 52.2, 55.1),  # the o is a film reel
)
HEIGHTS = (10, 12, 15, 20, 30, 40)
SIZES = (640, 960, 1280, 1920)
SENTENCES = ("Session 14, camera B", "The quick brown fox", "2026-11-25 03:20:07", "left or right?")


def read(path: Path, config: Row) -> tuple[list[Row], RunSummary, float]:
    """Rows, and the seconds it took."""
    items: list[Item] = []
    clock = time.perf_counter()
    summary = run(
        Ocr.configured(config, ModelStore()),
        path,
        emit=lambda rows, *_: items.extend(rows),
        progress=lambda _: None,
    )
    return [item.row for item in items], summary, time.perf_counter() - clock


def captions(name: str, path: Path, truth: tuple[Text, ...], config: Row) -> list[Any]:
    """A line of the table: how the rows meet the truth. Each row serves one text, and each text has one."""
    rows, summary, seconds = read(path, config)
    interval = 1 / config.get("pps", 1.0)
    exact, letters, off, left = 0, [], [], list(rows)
    for text in truth:
        near = [row for row in left if row["start"] < text.end and row["end"] > text.start]
        best = max(near, key=lambda row: alike(row["text"], text.text), default=None)
        if best is None or alike(best["text"], text.text) < 0.5:
            letters.append(0.0)
            continue
        left.remove(best)
        exact += best["text"] == text.text
        letters.append(alike(best["text"], text.text))
        off += [abs(best["start"] - text.start), abs(best["end"] - text.end)]
    info = summary.artefacts[0].head["info"]
    return [
        name,
        f"{sum(share > 0 for share in letters)}/{len(truth)}",
        exact,
        round(sum(letters) / len(truth), 3),
        len(left),
        f"{max(off, default=0):.1f} (interval {interval:g})",
        f"{info['pictures_read']}/{info['pictures']}",
        round(1000 * seconds / info["pictures_read"]),
    ]


def alike(a: str, b: str) -> float:
    """1 if they are spelt the same."""
    return SequenceMatcher(None, a, b, autojunk=False).ratio()


def drawn(pictures: npt.NDArray[np.uint8]) -> list[list[Any]]:
    """Share of the letters of drawn lines that are read, by their height in a 1080p picture."""
    store = ModelStore()
    reader = TextReader(store)
    rows = []
    for height in HEIGHTS:
        shares = []
        for size in SIZES:
            finder = TextFinder(store, size)
            found = [score(finder, reader, picture, height) for picture in pictures]
            shares.append(round(sum(found) / len(found), 2))
        rows.append([height, *shares])
    return rows


def score(finder: TextFinder, reader: TextReader, picture: npt.NDArray[np.uint8], height: int) -> float:
    """Mean likeness of each drawn line to the line that is read most like it."""
    image = picture.copy()
    scale = cv2.getFontScaleFromHeight(cv2.FONT_HERSHEY_SIMPLEX, height, 1 + height // 20)
    for place, sentence in enumerate(SENTENCES):
        corner = (120 + 900 * (place % 2), 300 + 400 * (place // 2))
        for colour, extra in (
            ((0, 0, 0), 2),
            ((255, 255, 255), 0),
        ):  # white with a dark edge, as captions are
            thickness = 1 + height // 20 + extra
            cv2.putText(
                image, sentence, corner, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, thickness, cv2.LINE_AA
            )
    said = [text for text, _ in reader.read(image, [region.quad for region in finder.find(image)])]
    best = [max((alike(text, sentence) for text in said), default=0.0) for sentence in SENTENCES]
    return sum(share if share >= 0.5 else 0.0 for share in best) / len(best)


def some_pictures(path: Path) -> npt.NDArray[np.uint8]:
    """One picture out of every other piece of the mix: the actress, the trailer, the street."""
    with open_frames(
        path, FrameRequest(Sampling.per_second(0.5 / mix.PIECE_SECONDS), batch_size=1)
    ) as source:
        return np.concatenate([batch.pixels for batch in source])


def sheet(path: Path, target: Path) -> None:
    """Three pictures of the trailer with the boxes and what was read."""
    rows, _, _ = read(path, {"detection_size": 640})
    tiles = []
    with open_frames(path, FrameRequest(Sampling.per_second(1), size=(1280, 720), batch_size=1)) as source:
        for batch in source:
            moment = float(batch.timestamps[0])
            if round(moment) not in {6, 12, 34}:
                continue
            image = batch.pixels[0].copy()
            for row in rows:
                if row["start"] <= moment < row["end"]:
                    corners = np.array(row["polygon"], np.int32)
                    cv2.polylines(image, [corners], isClosed=True, color=(0, 255, 255), thickness=4)
            tiles.append(cv2.resize(image, (320, 180), interpolation=cv2.INTER_AREA))
    cv2.imwrite(str(target), np.hstack(tiles), [cv2.IMWRITE_JPEG_QUALITY, 85])


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sheet", type=Path)
    arguments = parser.parse_args()
    clip, trailer = mix.mix(arguments.folder), mix.sources(arguments.folder)["trailer_bbb"]
    if arguments.sheet:
        sheet(trailer, arguments.sheet)
        return
    head = ["clip", "found", "exact", "letters", "false", "time off, s", "pictures read", "ms/picture"]
    pieces = tuple(
        Text(piece.text, number * mix.PIECE_SECONDS, (number + 1) * mix.PIECE_SECONDS)
        for number, piece in enumerate(mix.PIECES)
        if piece.text
    )
    lines = [
        captions(f"trailer, {size}", trailer, TRAILER, {"detection_size": size}) for size in (640, 960, 1280)
    ]
    lines.append(captions("trailer, 960, pps 2", trailer, TRAILER, {"pps": 2.0}))
    lines.append(captions("mix, 960", clip, pieces, {}))
    table("Captions, by detection_size", head, lines)
    title = "Letters read of lines drawn onto three 1080p pictures, by height in pixels and detection_size"
    table(title, ["height", *map(str, SIZES)], drawn(some_pictures(clip)))


if __name__ == "__main__":
    main()
