"""What decides whether DALI can read a file: facts of its first picture, and the rules."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from frameloom.worker.frames.dali import nvdec
from frameloom.worker.frames.dali.colour import Coefficients, coefficients
from frameloom.worker.frames.dali.driver import Gpu
from frameloom.worker.media.containers import open_container, video_stream
from frameloom.worker.media.probe import first_picture

_PLANAR = re.compile(r"yuvj?(?P<chroma>4\d\d)p(?P<bits>\d+)?(?:le|be)?$")
_FULL_RANGE = 2
"""FFmpeg's number for samples that use all values, 0 to 255."""
_ON_CPU = frozenset({"vp8", "vp9", "mjpeg"})
"""What DALI's own FFmpeg decodes; it was built without the others."""
_WITHOUT_PRESENTATION_TIMES = {"avi"}
_ONLY_KEY_FRAMES = {"mjpeg"}


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """Facts of a video stream.

    Attributes:
        container: FFmpeg's name of the container.
        codec: FFmpeg's name of the codec.
        pixel_format: FFmpeg's name, as ``yuv420p10le``.
        size: Width and height as stored.
        interlaced: Its pictures are made of two fields each.
        full_range: Samples use all values; as told beside the pixel format.
        colours: Coefficients of the colour matrix; None for one that is not known here.
    """

    container: str
    codec: str
    pixel_format: str
    size: tuple[int, int]
    interlaced: bool
    full_range: bool
    colours: Coefficients | None

    @classmethod
    def of(cls, path: Path) -> VideoFacts:
        """Reads them from the first picture, for a container may tell other colours than the video.

        Raises:
            TaskError: The file can not be opened, or no picture of it be decoded.
        """
        with open_container(path) as container:
            stream = video_stream(container)
            picture = first_picture(container, stream)
            return cls(
                container=container.format.name,
                codec=stream.codec_context.codec.canonical_name,
                pixel_format=picture.format.name,
                size=(picture.width, picture.height),
                interlaced=picture.interlaced_frame,
                full_range=int(picture.color_range) == _FULL_RANGE,
                colours=coefficients(int(picture.colorspace)),
            )


def refusal(facts: VideoFacts, gpu: Gpu | None) -> str | None:
    """Why DALI can not, or should not, read the file; None if it can.

    Args:
        facts: Of the file.
        gpu: The GPU; None to decode on the CPU.
    """
    layout = _PLANAR.match(facts.pixel_format)
    if layout is None:
        return f"DALI has no pictures of {facts.pixel_format or 'an unknown format'}"
    where = _on_gpu(facts, gpu, layout["chroma"], int(layout["bits"] or 8)) if gpu else _on_cpu(facts)
    return next(_anywhere(facts), None) or next(where, None)


def _anywhere(facts: VideoFacts) -> Iterator[str]:
    if facts.container in _WITHOUT_PRESENTATION_TIMES and facts.codec not in _ONLY_KEY_FRAMES:
        yield f"{facts.container} tells no times of presentation, by which DALI puts pictures in order"
    if facts.interlaced:
        yield "the video is interlaced"
    if facts.colours is None:
        yield "the colour matrix of the video is not known to the DALI graph"


def _on_cpu(facts: VideoFacts) -> Iterator[str]:
    if facts.codec not in _ON_CPU:
        yield f"DALI has no {facts.codec} without a GPU"
    if facts.full_range and not facts.pixel_format.startswith("yuvj"):
        yield "DALI's software decoder takes a full range of samples for a limited one"


def _on_gpu(facts: VideoFacts, gpu: Gpu, chroma: str, bits: int) -> Iterator[str]:
    if chroma != "420":
        yield f"DALI hands out 4:2:0 only, and this is {facts.pixel_format}"
    if facts.codec == "mjpeg":
        yield "DALI has no mjpeg video on the GPU"
    if facts.size[0] % 2 or facts.size[1] % 2:
        yield "NVDEC's surfaces have even sides, and this video has not"
    reason = nvdec.refusal(gpu.capability, facts.codec, bits, facts.size)
    if reason is not None:
        yield reason
