"""Pipelines: the base class for all, the built-in ones, and what finds and runs them."""

from frameloom.worker.pipelines.base import Pipeline, PipelineConfig
from frameloom.worker.pipelines.registry import load_pipelines
from frameloom.worker.pipelines.runner import RunSummary, run

__all__ = ["Pipeline", "PipelineConfig", "RunSummary", "load_pipelines", "run"]
