"""The pictures of the sound pipelines' pages: what they give of a sample, over time.

python benchmarks/quality/sound_sheet.py docs/assets
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from frameloom.worker.models import ModelStore
from frameloom.worker.pipelines import Pipeline, run
from frameloom.worker.pipelines.audio_events import AudioEvents
from frameloom.worker.pipelines.audio_features import AudioFeatures
from frameloom.worker.pipelines.audio_processing import AudioProcessing
from frameloom.worker.sound import SoundRequest, open_sound

WIDTH, LEFT, LANE = 900, 170, 26
INK, FAINT = (60, 60, 60), (225, 225, 225)
COLOURS = [(190, 120, 40), (40, 130, 210), (80, 150, 60), (150, 70, 150)]

Row = dict[str, Any]
Picture = npt.NDArray[np.uint8]


def rows_of(kind: type[Pipeline], path: Path, config: Row) -> dict[str, list[Row]]:
    """Rows by list."""
    rows: dict[str, list[Row]] = {}
    run(
        kind.configured(config, ModelStore()),
        path,
        emit=lambda items, *_: [rows.setdefault(item.list, []).append(item.row) for item in items],
        progress=lambda _: None,
    )
    return rows


class Sheet:
    """A picture with time to the right, filled lane by lane."""

    def __init__(self, seconds: float) -> None:
        self._scale = (WIDTH - LEFT - 10) / seconds
        self._lanes: list[Picture] = []

    def x(self, time: float) -> int:
        """Where a time is."""
        return LEFT + round(time * self._scale)

    def lane(self, name: str, height: int = LANE) -> Picture:
        """A new empty lane with its name."""
        lane = np.full((height, WIDTH, 3), 255, np.uint8)
        cv2.line(lane, (LEFT, height - 1), (WIDTH - 10, height - 1), FAINT, 1)
        _text(lane, name[:24], 4, height // 2 + 4)
        self._lanes.append(lane)
        return lane

    def waveform(self, path: Path) -> None:
        """The samples, as their limits in each column."""
        with open_sound(path, SoundRequest()) as source:
            samples = np.concatenate([block.samples for block in source])
        lane = self.lane("sound", 60)
        for place, part in enumerate(np.array_split(samples, WIDTH - LEFT - 10)):
            low, high = (round(30 - 28 * float(v) / np.abs(samples).max()) for v in (part.max(), part.min()))
            cv2.line(lane, (LEFT + place, low), (LEFT + place, high), (150, 150, 150), 1)

    def bars(self, name: str, spans: list[tuple[float, float, str]], colour: int) -> None:
        """Stretches of time, with words in them as far as there is room."""
        lane = self.lane(name)
        for begin, end, text in spans:
            left, right = self.x(begin), self.x(end)
            cv2.rectangle(lane, (left, 4), (right - 2, LANE - 6), COLOURS[colour % len(COLOURS)], -1)
            room = (right - left - 6) // 6
            if room > 2:
                _text(lane, text[:room], left + 4, LANE // 2 + 3, (255, 255, 255))

    def curve(self, name: str, points: list[tuple[float, float | None]], low: float, high: float) -> None:
        """A figure over time."""
        lane = self.lane(name, 70)
        for time, value in points:
            if value is not None:
                height = round(64 - 58 * (min(max(value, low), high) - low) / (high - low))
                cv2.circle(lane, (self.x(time), height), 1, COLOURS[1], -1)

    def write(self, path: Path) -> None:
        """Saves the picture."""
        cv2.imwrite(str(path), np.vstack(self._lanes), [cv2.IMWRITE_PNG_COMPRESSION, 9])
        print(f"{path}: {path.stat().st_size} bytes")


def _text(lane: Picture, text: str, x: int, y: int, colour: tuple[int, int, int] = INK) -> None:
    plain = text.encode("ascii", "replace").decode()
    cv2.putText(lane, plain, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.36, colour, 1, cv2.LINE_AA)


def events(store: ModelStore, out: Path) -> None:
    """The saxophone, and the classes that are heard longest."""
    path = store.path("saxophone")
    found = rows_of(AudioEvents, path, {})["events"]
    sheet = Sheet(16.0)
    sheet.waveform(path)
    lengths: dict[str, float] = {}
    for row in found:
        lengths[row["label"]] = lengths.get(row["label"], 0.0) + row["end"] - row["start"]
    for place, label in enumerate(sorted(lengths, key=lambda name: -lengths[name])[:7]):
        spans = [(r["start"], r["end"], f"{r['confidence']:.2f}") for r in found if r["label"] == label]
        sheet.bars(label, spans, place)
    sheet.write(out / "audio_events.png")


def voices(store: ModelStore, out: Path) -> None:
    """The telephone call: pitch and loudness; speakers and words."""
    path = store.path("two-speakers")
    frames = rows_of(AudioFeatures, path, {"features": ["rms", "f0"]})["frames"]
    sheet = Sheet(30.0)
    sheet.waveform(path)
    sheet.curve("f0_hz, 50 to 400", [(row["time"], row["f0_hz"]) for row in frames], 50, 400)
    loud = max(row["rms"] for row in frames)
    sheet.curve("rms", [(row["time"], row["rms"]) for row in frames], 0, loud)
    sheet.write(out / "audio_features.png")
    talk = rows_of(AudioProcessing, path, {})
    sheet = Sheet(30.0)
    sheet.waveform(path)
    names = sorted({row["speaker"] for row in talk["turns"]})
    for place, name in enumerate(names):
        said = [(r["start"], r["end"], r["text"]) for r in talk["segments"] if r["speaker"] == name]
        turns = [(r["start"], r["end"], "") for r in talk["turns"] if r["speaker"] == name]
        sheet.bars(f"{name}: turns", turns, place)
        sheet.bars("said", said, place)
    sheet.write(out / "audio_processing.png")


def main() -> None:
    """Draws all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    store = ModelStore()
    events(store, folder)
    voices(store, folder)


if __name__ == "__main__":
    main()
