"""Pipelines: the base class for all, the built-in ones, and what finds and runs them."""

from frameloom.worker.pipelines.base import (
    FramePipeline,
    Only,
    Pipeline,
    PipelineConfig,
    SegmentableConfig,
    SoundPipeline,
    without_effect,
)
from frameloom.worker.pipelines.parts import RunSummary
from frameloom.worker.pipelines.registry import load_pipelines
from frameloom.worker.pipelines.runner import run

__all__ = [
    "FramePipeline",
    "Only",
    "Pipeline",
    "PipelineConfig",
    "RunSummary",
    "SegmentableConfig",
    "SoundPipeline",
    "load_pipelines",
    "run",
    "without_effect",
]
