"""Frames of a video: the port that pipelines see, and the decoders behind it."""

from frameloom.worker.frames.base import FrameBatch, FrameRequest, FrameSource, Sampling, fit, open_frames

__all__ = ["FrameBatch", "FrameRequest", "FrameSource", "Sampling", "fit", "open_frames"]
