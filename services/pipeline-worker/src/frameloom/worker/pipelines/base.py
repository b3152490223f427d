"""The contract between the worker and a pipeline.

One object runs over one media file, once. The runner calls, in this order: ``load``, ``begin``, ``request``,
``process`` per batch of frames or block of sound, ``finish``, ``artefacts``. A pipeline never opens a file
and never talks to a service: it gets frames, or sound, and gives rows.
"""

from __future__ import annotations

import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from frameloom.common.documents.task import FailureCategory
from frameloom.common.pipelines import ArtefactSpec, Item, MediaInfo, PipelineInfo, Segmentation
from frameloom.worker.errors import TaskError
from frameloom.worker.frames.base import FrameBatch, FrameRequest
from frameloom.worker.media.spans import Span
from frameloom.worker.models.spec import ModelSpec
from frameloom.worker.models.store import ModelStore
from frameloom.worker.pipelines.pieces import Piece
from frameloom.worker.sound.base import SoundBlock, SoundRequest


class PipelineConfig(BaseModel):
    """Base of configuration models. Unknown keys pass: the gateway warns about them by the schema."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class SegmentableConfig(PipelineConfig):
    """Base of configuration models of pipelines that can work in segments."""

    segments: bool = Field(
        default=True,
        description="Cut long media into segments for several workers. Off: one takes all of it.",
    )


@dataclass(frozen=True, slots=True)
class Only:
    """Annotation of a key that has one possible value here, for clients that send every key.

    Attributes:
        value: The one that is accepted.
        reason: Why there is no other: a sentence, shown to who tries one.
    """

    value: Any
    reason: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Checks the value after its type."""

        def same(value: Any) -> Any:
            if value != self.value:
                raise ValueError(f"only {self.value!r} is possible. {self.reason}")
            return value

        return core_schema.no_info_after_validator_function(same, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Says the value and the reason."""
        return {**handler(schema), "const": self.value, "description": self.reason}


def without_effect(reason: str, *, when: Sequence[Any] | None = None) -> dict[str, Any]:
    """For ``json_schema_extra``: the key is accepted and does nothing, and the gateway warns of it.

    Args:
        reason: Half a sentence.
        when: The values that do nothing; None: all.
    """
    return {"x-without-effect": {"reason": reason, **({} if when is None else {"when": list(when)})}}


class Pipeline(ABC):
    """Base class of all pipelines; derive from :class:`FramePipeline` or :class:`SoundPipeline`.

    Attributes:
        info: Registry entry; ``config_schema`` is made from ``Config``.
        Config: Model of the configuration, all fields with defaults.
        own_models: Entries that it adds to the model store; for pipelines outside this package.
        required_models: Names in the model store without which it can not run in its default configuration.
        required_modules: Python modules likewise; they are looked for, not imported.
        optional_models: Names in the model store that only other configurations use; ``models list`` tells.
        segmentation: How long media may be cut into segments; None: it must see every video whole. Who sets
            it has ``stitch``, and ``Config`` derives from :class:`SegmentableConfig`.
        config: The configuration of this run.
        models: Where weights come from.
        video_id: What the rows call the video; set by the runner before ``begin``.
        media: What probing found, of the whole file; set by ``begin``.
        span: The part of the media that it sees, if that is not all; set by the runner before ``begin``.
    """

    info: ClassVar[PipelineInfo]
    Config: ClassVar[type[PipelineConfig]]
    own_models: ClassVar[tuple[ModelSpec, ...]] = ()
    required_models: ClassVar[tuple[str, ...]] = ()
    required_modules: ClassVar[tuple[str, ...]] = ()
    optional_models: ClassVar[tuple[str, ...]] = ()
    segmentation: ClassVar[Segmentation | None] = None

    def __init__(self, config: PipelineConfig, models: ModelStore) -> None:
        models.register(*self.own_models)
        self.config = config
        self.models = models
        self.video_id = "video"
        self.span: Span | None = None

    @classmethod
    def configured(cls, config: Mapping[str, Any], models: ModelStore) -> Self:
        """Makes a pipeline from what a client sent. Keys that the model does not have are left out.

        Raises:
            TaskError: ``validation``, naming each field that is out of order.
        """
        try:
            return cls(cls.Config.model_validate(cls._own(config)), models)
        except ValidationError as error:
            faults = "; ".join(
                f"{'.'.join(str(part) for part in fault['loc']) or 'config'}: {fault['msg']}"
                for fault in error.errors(include_url=False)
            )
            raise TaskError(
                FailureCategory.VALIDATION, f"The configuration of {cls.info.name} is not valid: {faults}."
            ) from None

    @classmethod
    def _own(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        """One configuration may serve several pipelines, so also a model that forbids others' keys works."""
        if cls.Config.model_config.get("extra") != "forbid":
            return dict(config)
        fields = cls.Config.model_fields.items()
        known = {word for name, field in fields for word in (name, field.alias, field.validation_alias)}
        return {key: value for key, value in config.items() if key in known}

    @classmethod
    def available(cls, models: ModelStore) -> tuple[bool, str | None]:
        """Whether this worker can run it, and if not, why not, in words for a user."""
        for module in cls.required_modules:
            if not _installed(module):
                return False, f"The Python module {module} is not installed on the worker."
        try:
            models.register(*cls.own_models)
            missing = [name for name in cls.required_models if not models.can_provide(name)]
        except (TaskError, ValueError) as error:
            return False, str(error)
        if missing:
            return False, models.why_not(missing[0])
        return True, None

    def load(self) -> None:
        """Gets models ready: here the required files, in a subclass the networks.

        Networks go through ``ModelStore.load``, so that a warm process has them already.

        Raises:
            ModelUnavailableError: One can not be had.
        """
        for name in self.required_models:
            self.models.path(name)

    def begin(self, media: MediaInfo) -> None:
        """Prepares the state for this video; a subclass calls this one first."""
        self.media = media

    def finish(self) -> Iterable[Item]:
        """Gives the rows that waited for the end of the video."""
        return ()

    def stitch(self, pieces: Sequence[Piece]) -> Iterator[Item]:
        """Joins what the segments have found, and gives the rows of the whole, as if it had seen it.

        Called on a fresh object after ``load`` and ``begin``, in place of ``process`` and ``finish``.

        Args:
            pieces: All segments, in order. Those that saw nothing are among them; they have no rows.
        """
        raise NotImplementedError(f"{type(self).__name__} does not work in segments")

    @abstractmethod
    def artefacts(self) -> tuple[ArtefactSpec, ...]:
        """The files to be made of the rows; called after ``finish``, so a head may hold results."""

    def models_used(self) -> dict[str, str]:
        """Names and sha256 of the models behind the result, for its provenance."""
        return {name: self.models.digest(name) for name in self.required_models}


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # of ``package.module``, where even the package is missing
        return False


class FramePipeline(Pipeline):
    """Base class of pipelines that look at pictures."""

    @abstractmethod
    def request(self, media: MediaInfo) -> FrameRequest:
        """Which frames it needs, at which size."""

    @abstractmethod
    def process(self, batch: FrameBatch) -> Iterable[Item]:
        """Takes the next frames and gives the rows that are certain by now, in order of time."""


class SoundPipeline(Pipeline):
    """Base class of pipelines that listen. Files without any picture are fine for them."""

    def request(self, media: MediaInfo) -> SoundRequest:  # noqa: ARG002 - for subclasses that want to know
        """How the sound is wanted: 16 kHz mono in blocks of ten seconds, unless a subclass says otherwise."""
        return SoundRequest()

    @abstractmethod
    def process(self, block: SoundBlock) -> Iterable[Item]:
        """Takes the next sound and gives the rows that are certain by now, in order of time."""
