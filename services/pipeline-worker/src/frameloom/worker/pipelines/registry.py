"""Finds pipelines: by the entry-point group ``frameloom.pipelines``, and by name in settings."""

from __future__ import annotations

import importlib
import inspect
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import entry_points

import structlog

from frameloom.common.documents import PipelineOffer
from frameloom.common.pipelines import PipelineInfo
from frameloom.worker.models.store import ModelStore
from frameloom.worker.pipelines.base import FramePipeline, Pipeline, PipelineConfig, SoundPipeline
from frameloom.worker.pipelines.broken import broken, told

logger = structlog.get_logger(__name__)

GROUP = "frameloom.pipelines"
_OWN = "frameloom-worker"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class PluginError(TypeError):
    """What is named as a pipeline is none; the message is the second half of a sentence."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A pipeline that somebody has announced.

    Attributes:
        name: Under which it was announced.
        place: ``module:Class``.
        distribution: The package that brings it; None for one of the settings.
        version: Of that package.
        load: Imports it.
    """

    name: str
    place: str
    distribution: str | None
    version: str
    load: Callable[[], object]

    @property
    def origin(self) -> str:
        return f"{self.place} of {self.distribution} {self.version}" if self.distribution else self.place

    @property
    def second_name(self) -> str:
        """Where the first is taken."""
        return f"{self.name}@{self.distribution or 'settings'}"


def load_pipelines(extra: Sequence[str] = ()) -> dict[str, type[Pipeline]]:
    """Imports all pipelines that are installed.

    A plug-in that can not be used must not take the worker down, nor go unseen: a stand-in that is never
    available, and says why, takes its place. The built-in ones come first, then packages by name; a package
    that brings a pipeline under a name that is taken gets a stand-in too. Only ``extra``, which the operator
    names on purpose, replaces what has its name.

    Args:
        extra: Further ones as ``module:Class``.

    Returns:
        Classes by the name of their ``info``, sorted.
    """
    found: dict[str, type[Pipeline]] = {}
    faulty: list[tuple[_Candidate, str]] = []
    for candidate in (*_installed(), *_named(extra)):
        try:
            pipeline = checked(candidate.load())
            name = pipeline.info.name
            if found.get(name, pipeline) is not pipeline:
                if candidate.distribution is not None:
                    raise PluginError(  # noqa: TRY301 - one place tells of all faults
                        f"brings a pipeline named {name}, and there is one of that name already"
                    )
                logger.info("pipeline_replaced", pipeline=name, plugin=candidate.origin)
        except (Exception, SystemExit) as error:
            ours = isinstance(error, PluginError)
            fault = str(error) if ours else f"can not be imported: {told(error)}"
            logger.warning(
                "pipeline_plugin_disabled", plugin=candidate.origin, reason=fault, exc_info=not ours
            )
            faulty.append((candidate, fault))
            continue
        found[name] = pipeline
    for candidate, fault in faulty:
        name = candidate.name if candidate.name not in found else candidate.second_name
        found[name] = broken(name, candidate.origin, candidate.version, fault)
    return dict(sorted(found.items()))


def checked(candidate: object) -> type[Pipeline]:
    """The same class, if it is a pipeline that can be listed and run.

    Raises:
        PluginError: It is not; the message says what is missing.
    """
    if not (isinstance(candidate, type) and issubclass(candidate, FramePipeline | SoundPipeline)):
        raise PluginError("is no subclass of FramePipeline or SoundPipeline")
    if inspect.isabstract(candidate):
        raise PluginError(f"does not define {', '.join(sorted(candidate.__abstractmethods__))}")
    info = getattr(candidate, "info", None)
    if not isinstance(info, PipelineInfo):
        raise PluginError("has no `info`, or one that is no PipelineInfo")
    if not _NAME.fullmatch(info.name):
        raise PluginError(
            f"has the name {info.name!r}: letters, digits, dots, dashes and underscores make one"
        )
    _check_config(candidate)
    if candidate.segmentation is not None and candidate.stitch is Pipeline.stitch:
        raise PluginError("declares a `segmentation`, and does not define stitch")
    return candidate


def offer(pipeline: type[Pipeline], models: ModelStore) -> PipelineOffer:
    """What a worker tells of a pipeline: its entry, whether it can run here, its models.

    What a plug-in's own ``available`` throws switches it off, like a reason that it gives.
    """
    info = pipeline.info.model_copy(update={"config_schema": pipeline.Config.model_json_schema()})
    try:
        usable, reason = pipeline.available(models)
        known = {spec.name for spec in models.specs}  # with those that the pipeline brings itself
        facts = tuple(models.facts(model) for model in pipeline.required_models if model in known)
        return PipelineOffer(
            id=info.name,
            info=info,
            available=usable,
            reason=reason,
            models=facts,
            segmentation=pipeline.segmentation,
        )
    except Exception as error:
        logger.warning("pipeline_not_available", pipeline=info.name, exc_info=True)
        reason = f"The plug-in failed when it was asked whether it can run: {told(error)}."
        return PipelineOffer(id=info.name, info=info, available=False, reason=reason)


def _installed() -> Iterator[_Candidate]:
    """Those of packages: ours, then others by name."""
    found = []
    for point in entry_points(group=GROUP):
        name, version = (point.dist.name, point.dist.version) if point.dist else ("", "0")
        found.append(_Candidate(point.name, point.value, name or "an unnamed package", version, point.load))
    return iter(sorted(found, key=lambda one: (one.distribution != _OWN, one.distribution or "", one.name)))


def _named(extra: Sequence[str]) -> Iterator[_Candidate]:
    for reference in extra:
        yield _Candidate(reference, reference, None, "0", partial(_import, reference))


def _import(reference: str) -> object:
    module, _, name = reference.partition(":")
    if not name:
        raise PluginError("has no class in its name: it is written as module:Class")
    return getattr(importlib.import_module(module), name)


def _check_config(pipeline: type[Pipeline]) -> None:
    config = getattr(pipeline, "Config", None)
    if not (isinstance(config, type) and issubclass(config, PipelineConfig)):
        raise PluginError("has no `Config`, or one that is no PipelineConfig")
    if missing := [name for name, field in config.model_fields.items() if field.is_required()]:
        raise PluginError(f"has settings without a default in its Config: {', '.join(missing)}")
    try:
        config()
        json.dumps(config.model_json_schema(), allow_nan=False)
    except Exception as error:
        raise PluginError(f"has a Config that makes no JSON schema: {told(error)}") from error
