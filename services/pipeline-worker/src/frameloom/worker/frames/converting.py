"""From the decoder's own pixels to those of a batch, in one step on the CPU."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

from frameloom.worker.frames.batching import Format
from frameloom.worker.media.probe import quarter_turns

_FILTERS = {
    "fast_bilinear": Interpolation.FAST_BILINEAR,
    "bilinear": Interpolation.BILINEAR,
    "area": Interpolation.AREA,
}
_FORMATS = {"rgb": "rgb24", "bgr": "bgr24"}
_Pixels = npt.NDArray[np.uint8]


class Converter:
    """Scales, converts and turns upright, in one step from the decoder's own pixel format."""

    def __init__(self, wanted: Format) -> None:
        self._wanted = wanted
        # One for all frames: it keeps the tables of the scaler, which a frame's own method makes anew.
        self._reformatter = VideoReformatter()

    def pixels(self, frame: VideoFrame) -> _Pixels:
        """``uint8 [height, width, 3]``, a view that keeps what it looks at alive."""
        wanted = self._wanted
        turns = quarter_turns(frame)
        width, height = (wanted.height, wanted.width) if turns % 2 else (wanted.width, wanted.height)
        image = self._reformatter.reformat(
            frame,
            width=width,
            height=height,
            format=_FORMATS[wanted.colour],
            interpolation=_FILTERS[wanted.scaling],
            threads=1,
        )
        pixels = _view(image, width, height)
        return np.rot90(pixels, turns) if turns else pixels


def _view(image: VideoFrame, width: int, height: int) -> _Pixels:
    """The pixels of a packed 24-bit frame, without a copy; lines of the plane are padded at the end."""
    plane = image.planes[0]
    lines: _Pixels = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return lines[:height, : width * 3].reshape(height, width, 3)
