"""Frames of a video: the port that pipelines see, and the decoders behind it."""

from frameloom.worker.frames.base import (
    Delivery,
    FrameBatch,
    FrameRequest,
    FrameSource,
    Sampling,
    SharedFrames,
    fit,
    open_frames,
    open_shared,
)

__all__ = [
    "Delivery",
    "FrameBatch",
    "FrameRequest",
    "FrameSource",
    "Sampling",
    "SharedFrames",
    "fit",
    "open_frames",
    "open_shared",
]
