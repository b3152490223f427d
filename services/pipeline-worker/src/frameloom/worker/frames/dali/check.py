"""Holds DALI's pictures against those of the reference decoder, before anybody gets them.

A decoder that hands out wrong pictures does not say so. The first ones of each file are compared. That costs
some hundredths of a second and catches what no table knows: a picture too many, another order, other colours.
"""

from __future__ import annotations

import io
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import Interpolation, VideoReformatter

from frameloom.worker.frames.base import DecoderGaveUpError
from frameloom.worker.frames.dali.chunks import Chunk

_FILTER = Interpolation.BILINEAR | Interpolation.FULL_CHR_H_INT
CHECKED_PICTURES = 8
TOLERANCE = 12.0
"""Mean difference of a picture, of 255. Other filters make up to 3, another matrix of colours up to 10."""


def check_pictures(chunk: Chunk, first: int, sequence: Any, *, bgr: bool) -> None:
    """Compares some pictures: the first ones of the sequence, or all if it is the last one of the chunk.

    Args:
        chunk: What was decoded.
        first: Place in it of the sequence's first picture.
        sequence: ``[pictures, height, width, 3]``.
        bgr: Their order of colours.

    Raises:
        DecoderGaveUpError: They differ, or there are fewer.
    """
    count = len(sequence) if first + len(sequence) == len(chunk.pictures) else CHECKED_PICTURES
    count = min(count, len(sequence))
    pixels = sequence[:count] if isinstance(sequence, np.ndarray) else sequence[:count].cpu().numpy()
    reference = _reference(chunk, first, count, pixels.shape[2], pixels.shape[1], "bgr24" if bgr else "rgb24")
    if len(reference) < count:
        raise DecoderGaveUpError("a part of the video does not hold as many pictures as packets")
    for ours, theirs in zip(reference, pixels, strict=True):
        difference = float(np.abs(ours.astype(np.int16) - theirs).mean())
        if difference > TOLERANCE:
            raise DecoderGaveUpError(
                f"its pictures differ from the reference decoder's by {difference:.0f} of 255 on average"
            )


def _reference(
    chunk: Chunk, first: int, count: int, width: int, height: int, name: str
) -> list[npt.NDArray[np.uint8]]:
    reformatter = VideoReformatter()
    found: list[npt.NDArray[np.uint8]] = []
    with av.open(io.BytesIO(chunk.data.tobytes()), "r") as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        for place, frame in enumerate(container.decode(stream)):
            if place >= first + count:
                break
            if place >= first:
                image = reformatter.reformat(
                    frame, width=width, height=height, format=name, interpolation=_FILTER
                )
                found.append(np.asarray(image.to_ndarray(), np.uint8))
    return found
