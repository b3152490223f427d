"""What a pipeline tells the rest of the system: metadata, outputs, and the rows it streams.

The worker that runs a pipeline announces its :class:`PipelineInfo`; the gateway shows it, validates
configurations against its JSON schema, and the results service assembles what its
:class:`ArtefactSpec` names. No service needs the pipeline's code for that.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Row = dict[str, Any]
"""One annotation row, as it stands in the final file (JSON types only)."""


class Output(BaseModel):
    """A declared output: a format of the field and the kinds of annotation in it."""

    model_config = ConfigDict(frozen=True)

    format: str
    types: tuple[str, ...]


class PipelineInfo(BaseModel):
    """Registry entry of one pipeline, with the fields of the VideoAnnotator taxonomy."""

    model_config = ConfigDict(frozen=True)

    name: str
    version: str
    display_name: str
    description: str
    pipeline_family: str | None = None
    variant: str | None = None
    tasks: tuple[str, ...] = ()
    modalities: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    backends: tuple[str, ...] = ()
    stability: Literal["experimental", "beta", "stable"] = "beta"
    outputs: tuple[Output, ...] = ()
    config_schema: dict[str, Any] = Field(default_factory=dict)
    """JSON schema (2020-12) of the pipeline's configuration model."""
    examples: tuple[dict[str, Any], ...] = ()


class Segmentation(BaseModel):
    """What a pipeline that can work on parts of a video says about them.

    Attributes:
        seconds: Length of a part.
        overlap_seconds: How far parts go into each other, so that they can be stitched.
        above_seconds: Shorter media stay whole.
    """

    model_config = ConfigDict(frozen=True)

    seconds: float = Field(default=300.0, gt=0)
    overlap_seconds: float = Field(default=10.0, ge=0)
    above_seconds: float = Field(default=600.0, ge=0)


class Item(BaseModel):
    """One streamed row and the list of the artefact that it belongs to (``annotations``, ``images``)."""

    model_config = ConfigDict(frozen=True)

    list: str
    row: Row


class ArtefactSpec(BaseModel):
    """How the results service writes one file from the streamed rows.

    ``writer`` names the format. With ``json`` the file is a JSON object: the keys of ``head`` first, then
    each list of ``lists`` in order, filled by streaming over the chunks, then the keys of ``tail``.
    ``copies`` maps a list of ``lists`` to the one whose rows it repeats (the scene file has ``scenes`` beside
    ``annotations``).
    The other writers make one file of the rows of ``counted``, as ``options`` say: see
    ``frameloom.results.formats``.
    """

    model_config = ConfigDict(frozen=True)

    suffix: str
    """Appended to the stem of the media file: ``_face_detections.json``."""
    format: str = "COCO"
    media_type: str = "application/json"
    head: dict[str, Any] = Field(default_factory=dict)
    lists: tuple[str, ...] = ("annotations", "images")
    copies: dict[str, str] = Field(default_factory=dict)
    tail: dict[str, Any] = Field(default_factory=dict)
    counted: str = "annotations"
    """The list whose length is the artefact's annotation count."""
    writer: str = "json"
    options: dict[str, Any] = Field(default_factory=dict)
    """What a writer wants to know: which field is the text, the speaker, the track; columns; the language."""
    joins: str | None = None
    """Another pipeline of the job whose rows it needs too. It is written when both have ended, as a file of
    the one that ends last; not at all if the job does not have the other, or that one brings no result. The
    writer gets the other's lists under its name and a slash: ``person_tracking/annotations``."""


class MediaInfo(BaseModel):
    """What probing a media file told: of the first video stream, or of its sound for who only listens."""

    model_config = ConfigDict(frozen=True)

    container: str
    codec: str
    width: int = 0
    """0 where the picture was not looked at."""
    height: int = 0
    fps: float = 0.0
    """Average frame rate, frames per second."""
    duration_seconds: float
    frames_estimated: int = 0
    has_audio: bool = False
    has_video: bool = True
    rotation_degrees: int = 0


class Progress(BaseModel):
    """How far a task is: media seconds done and in all, and a word for the stage."""

    model_config = ConfigDict(frozen=True)

    stage: str
    fraction: float = Field(ge=0.0, le=1.0)
    frames_done: int = 0
    media_seconds_done: float = 0.0
