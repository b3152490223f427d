"""What stands in for a plug-in that can not be used: it is listed, switched off, with the reason."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from frameloom.common.documents.task import FailureCategory
from frameloom.common.pipelines import ArtefactSpec, PipelineInfo
from frameloom.worker.errors import TaskError
from frameloom.worker.models.store import ModelStore
from frameloom.worker.pipelines.base import Pipeline, PipelineConfig

_PLACE = re.compile(r" \([^()]*[/\\][^()]*\)")
_LONGEST = 300


class BrokenPipeline(Pipeline):
    """Never runs.

    Attributes:
        reason: Why the plug-in can not be used, in words for who installed it.
    """

    Config = PipelineConfig
    reason: ClassVar[str] = ""

    @classmethod
    def available(cls, models: ModelStore) -> tuple[bool, str | None]:  # noqa: ARG003 - as its base says
        """Not at all."""
        return False, cls.reason

    @classmethod
    def configured(cls, config: Mapping[str, Any], models: ModelStore) -> Self:  # noqa: ARG003
        """Refuses.

        Raises:
            TaskError: Always.
        """
        raise TaskError(FailureCategory.VALIDATION, cls.reason)

    def artefacts(self) -> tuple[ArtefactSpec, ...]:
        """None."""
        return ()


def broken(name: str, origin: str, version: str, fault: str) -> type[Pipeline]:
    """A stand-in.

    Args:
        name: Under which it is listed.
        origin: Where it comes from, for people.
        version: Of the package that brings it.
        fault: What is wrong: the second half of a sentence that begins with the plug-in.
    """
    reason = f"The plug-in {origin} {fault}."
    info = PipelineInfo(
        name=name,
        version=version,
        display_name=name,
        description=f"A plug-in that can not be used: {origin}.",
        stability="experimental",
        config_schema=PipelineConfig.model_json_schema(),
    )
    return type("BrokenPipeline", (BrokenPipeline,), {"info": info, "reason": reason})


def told(error: BaseException) -> str:
    """An error in a line, without places on this machine: it is shown to whoever asks for the pipelines."""
    words = " ".join(_PLACE.sub("", str(error)).split())
    shown = f"{type(error).__name__}: {words}" if words else type(error).__name__
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"
