"""What the figures of `video_quality` are worth, and how fast they come.

    python benchmarks/quality/video_quality.py FOLDER [--chart chart.jpg]

Pictures of the mix are blurred by known amounts, to see from where on they count as blurred, and that no
sharp one does. FOLDER is where `mix.py` keeps its files. `--chart` draws the trailer's figures over time.
"""

from __future__ import annotations

import argparse
import sys
import time
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
from frameloom.worker.pipelines.qualities.measures import Gauge
from frameloom.worker.pipelines.qualities.states import BLURRED, Limits
from frameloom.worker.pipelines.video_quality import VideoQuality

Row = dict[str, Any]
Picture = npt.NDArray[np.uint8]
SIGMAS = (0, 2, 4, 8, 16)
SIZES = (320, 640)
CONFIGS: dict[str, Row] = {
    "default": {},
    "shots off": {"shots": False},
    "shots off, pps 2": {"shots": False, "pps": 2.0},
    "analysis_size 640": {"analysis_size": 640},
}


def measured(path: Path, config: Row) -> tuple[dict[str, list[Row]], float, float]:
    """Rows by list, frames of the video a second, seconds of the processor."""
    items: list[Item] = []
    clock, processor = time.perf_counter(), time.process_time()
    pipeline = VideoQuality.configured(config, ModelStore())
    run(pipeline, path, emit=lambda rows, *_: items.extend(rows), progress=lambda _: None)
    seconds = time.perf_counter() - clock
    rate = pipeline.media.frames_estimated / seconds
    names = ("seconds", "shots", "findings")
    lists = {name: [item.row for item in items if item.list == name] for name in names}
    return lists, rate, time.process_time() - processor


def blurred(path: Path) -> list[list[Any]]:
    """Sharpness of pictures of the mix by blur: least, most, and the share that counts as blurred at 320."""
    request = FrameRequest(Sampling.per_second(0.5), batch_size=1)
    with open_frames(path, request) as source:
        pictures = [batch.pixels[0] for batch in source]
    rows = []
    for sigma in SIGMAS:
        line: list[Any] = [sigma]
        for size in SIZES:
            samples = [Gauge().measure(small(one, sigma, size), 0.0, after_cut=False) for one in pictures]
            line += [round(min(s.sharpness for s in samples)), round(max(s.sharpness for s in samples))]
            if size == SIZES[0]:
                found = sum(BLURRED in Limits().states(sample) for sample in samples)
                line.append(f"{found}/{len(samples)}")
        rows.append(line)
    return rows


def small(picture: Picture, sigma: int, size: int) -> Picture:
    """Blurred, then brought down as the decoder does it."""
    soft = cv2.GaussianBlur(picture, (0, 0), sigma) if sigma else picture
    return np.asarray(cv2.resize(soft, (size, size * 9 // 16), interpolation=cv2.INTER_AREA), np.uint8)


def chart(path: Path, target: Path) -> None:
    """Brightness, sharpness and motion of each second, shots as lines, findings as bars."""
    lists, _, _ = measured(path, {})
    seconds = lists["seconds"]
    width, height, left = 960, 260, 90
    image = np.full((height, width, 3), 255, np.uint8)
    scale = (width - left - 10) / seconds[-1]["end"]

    def x(moment: float) -> int:
        return left + round(moment * scale)

    for place, finding in enumerate(lists["findings"]):
        top = 205 + 18 * (place % 2)
        cv2.rectangle(image, (x(finding["start"]), top), (x(finding["end"]), top + 14), (200, 200, 200), -1)
        write(image, finding["kind"], (x(finding["start"]) + 2, top + 11))
    for shot in lists["shots"]:
        cv2.line(image, (x(shot["start"]), 5), (x(shot["start"]), 250), (225, 225, 225), 1)
    for line, (name, colour) in enumerate(
        (("brightness", (200, 120, 0)), ("sharpness", (0, 140, 0)), ("motion", (0, 0, 200)))
    ):
        base, most = 62 + 66 * line, max(row[name] or 0.0 for row in seconds) or 1.0
        points = [
            [x((row["start"] + row["end"]) / 2), base - round(54 * (row[name] or 0.0) / most)]
            for row in seconds
        ]
        cv2.polylines(image, [np.array(points, np.int32)], isClosed=False, color=colour, thickness=2)
        write(image, name, (5, base - 20))
        write(image, f"0 - {most:.3g}", (5, base - 4))
    cv2.imwrite(str(target), image, [cv2.IMWRITE_JPEG_QUALITY, 85])


def write(image: Picture, text: str, corner: tuple[int, int]) -> None:
    """Small black letters."""
    cv2.putText(image, text, corner, cv2.FONT_HERSHEY_SIMPLEX, 0.38, (40, 40, 40), 1, cv2.LINE_AA)


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--chart", type=Path)
    arguments = parser.parse_args()
    if arguments.chart:
        chart(mix.sources(arguments.folder)["trailer_bbb"], arguments.chart)
        return
    clip = mix.mix(arguments.folder)
    head = [
        "Gaussian blur, pixels of 1080p",
        "least at 320",
        "most",
        "counts as blurred",
        "least at 640",
        "most",
    ]
    table("Sharpness of pictures of the mix", head, blurred(clip))
    rows = []
    for name, config in CONFIGS.items():
        lists, rate, processor = measured(clip, config)
        rows.append([name, round(rate), round(processor, 1), len(lists["shots"]), len(lists["findings"])])
    title = "The mix: 36 s at 1080p; 6 shots, nothing wrong with it"
    table(title, ["configuration", "frames/s", "CPU s", "shots", "findings"], rows)


if __name__ == "__main__":
    main()
