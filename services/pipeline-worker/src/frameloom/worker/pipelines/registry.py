"""Finds pipelines: by the entry-point group ``frameloom.pipelines``, and by name in settings."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.metadata import entry_points

import structlog

from frameloom.common.pipelines import PipelineInfo
from frameloom.worker.pipelines.base import Pipeline, PipelineConfig

logger = structlog.get_logger(__name__)

GROUP = "frameloom.pipelines"


def load_pipelines(extra: Sequence[str] = ()) -> dict[str, type[Pipeline]]:
    """Imports all pipelines that are installed.

    A plug-in that can not be imported, or is no pipeline, is logged and left out: it must not take the
    worker down. Of two with the same name the later one wins, ``extra`` being the last.

    Args:
        extra: Further ones as ``module:Class``.

    Returns:
        Classes by the name of their ``info``, sorted.
    """
    found: dict[str, type[Pipeline]] = {}
    for origin, load in _candidates(extra):
        try:
            pipeline = _checked(load())
        except Exception:  # whatever a plug-in throws at import is its own affair
            logger.warning("pipeline_plugin_skipped", plugin=origin, exc_info=True)
            continue
        name = pipeline.info.name
        if name in found and found[name] is not pipeline:
            logger.info("pipeline_replaced", pipeline=name, plugin=origin)
        found[name] = pipeline
    return dict(sorted(found.items()))


def _candidates(extra: Sequence[str]) -> Iterator[tuple[str, Callable[[], object]]]:
    for point in entry_points(group=GROUP):
        yield point.value, point.load
    for reference in extra:
        yield reference, partial(_import, reference)


def _import(reference: str) -> object:
    module, _, name = reference.partition(":")
    if not name:
        raise ValueError(f"a pipeline is named as module:Class, not {reference!r}")
    return getattr(importlib.import_module(module), name)


def _checked(candidate: object) -> type[Pipeline]:
    if not (isinstance(candidate, type) and issubclass(candidate, Pipeline)):
        raise TypeError(f"{candidate!r} is not a subclass of Pipeline")
    if not isinstance(getattr(candidate, "info", None), PipelineInfo):
        raise TypeError(f"{candidate.__name__}.info is not a PipelineInfo")
    config = getattr(candidate, "Config", None)
    if not (isinstance(config, type) and issubclass(config, PipelineConfig)):
        raise TypeError(f"{candidate.__name__}.Config is not a PipelineConfig")
    return candidate
