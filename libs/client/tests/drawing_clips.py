"""Clips and result files made on the spot, for the tests of what is drawn."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from PIL import Image

GREY = 96


def clip(
    path: Path,
    *,
    size: tuple[int, int] = (320, 240),
    frames: int = 25,
    fps: int = 25,
    times_ms: Sequence[int] | None = None,
    sound: str | None = None,
    rotation: int = 0,
) -> Path:
    """Grey pictures, as many as asked for, or at the times given; with a codec of sound, a second of it."""
    time_base = Fraction(1, 1000) if times_ms is not None else Fraction(1, fps)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=fps, options={"preset": "ultrafast"})
        video.width, video.height = size
        video.pix_fmt = "yuv444p" if size[0] % 2 or size[1] % 2 else "yuv420p"
        video.time_base = video.codec_context.time_base = time_base
        if times_ms is not None:
            video.codec_context.max_b_frames = 0
        if rotation:
            video.set_display_rotation(rotation)
        audio = container.add_stream(sound, rate=16_000, layout="mono") if sound else None
        grey = np.full((size[1], size[0], 3), GREY, np.uint8)
        for time in times_ms if times_ms is not None else range(frames):
            frame = av.VideoFrame.from_ndarray(grey, format="rgb24")
            frame.pts, frame.time_base = time, time_base
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if audio is not None:
            tone = np.sin(np.arange(16_384) / 8)[None]
            for begin in range(0, 16_384, 1024):
                part = np.ascontiguousarray(tone[:, begin : begin + 1024])
                planar = audio.codec_context.name == "aac"
                samples = part.astype(np.float32) if planar else (part * 20_000).astype(np.int16)
                heard = av.AudioFrame.from_ndarray(samples, format="fltp" if planar else "s16", layout="mono")
                heard.sample_rate, heard.pts, heard.time_base = 16_000, begin, Fraction(1, 16_000)
                container.mux(audio.encode(heard))
            container.mux(audio.encode(None))
    return path


def person(time: float, box: Sequence[float], track: int | None = 1, **more: Any) -> dict[str, Any]:
    """A row of a tracked person."""
    row = {"bbox": list(box), "timestamp": time, "track_id": track, "person_id": f"person_{track}"}
    return {**row, "keypoints": [0] * 51, "num_keypoints": 0, "category_id": 1, **more}


def scene(begin: float, end: float, kind: str = "unknown") -> dict[str, Any]:
    """A row of a scene."""
    row = {"start_time": begin, "end_time": end, "scene_type": kind, "timestamp": (begin + end) / 2}
    return {**row, "bbox": [0, 0, 320, 240], "category_id": 1}


def results(folder: Path, **files: Any) -> Path:
    """Result files in a folder: ``clip_person_tracking=[…]`` becomes a COCO file of these rows."""
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        document = {"info": {}, "annotations": content} if isinstance(content, list) else content
        (folder / f"{name}.json").write_text(json.dumps(document))
    return folder


def pictures(path: Path) -> Iterator[tuple[float, npt.NDArray[np.uint8]]]:
    """The pictures of a video with their times."""
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            assert frame.pts is not None
            yield float(frame.pts * frame.time_base), frame.to_ndarray(format="rgb24")


def times(path: Path) -> list[float]:
    return [round(time, 4) for time, _ in pictures(path)]


def sound_packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


def opened(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        return picture.convert("RGB")
