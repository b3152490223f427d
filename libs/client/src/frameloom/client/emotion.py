"""The emotion format of VideoAnnotator, version 0.1: segments of time with ranked labels.

``schema_version`` is 1. What the format does not name may stand beside it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from frameloom.client.errors import UsageError

_LARGEST_BYTES = 512 << 20
_SAME = 1e-6


class _Part(BaseModel):
    """Base: other fields are let through; numbers are numbers, not text."""

    model_config = ConfigDict(extra="allow", strict=True)


class Label(_Part):
    """One emotion with how sure it is."""

    label: str
    confidence: float = Field(ge=0, le=1)


class Source(_Part):
    """What the emotion was read from."""

    modality: Literal["video", "audio", "multimodal"]
    channels: list[str] | None = None
    aggregation: str | None = None


class Subject(_Part):
    """Whose emotion it is."""

    id: str | int | None = None
    type: str | None = None


class Entry(_Part):
    """One segment of time, in seconds; its end is no more part of it."""

    start: float = Field(ge=0)
    end: float
    labels: list[Label] = Field(min_length=1)
    source: Source
    subject: Subject | None = None
    origin_refs: dict[str, Any] | None = None
    confidence: float | None = Field(default=None, ge=0, le=1)
    quality_flags: list[str] | None = None

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if not self.end > self.start:
            raise ValueError("end must be greater than start")
        names = [one.label for one in self.labels]
        double = next((name for name in names if names.count(name) > 1), None)
        if double is not None:
            raise ValueError(f"the label {double!r} stands there twice")
        sure = [one.confidence for one in self.labels]
        if sure != sorted(sure, reverse=True):
            raise ValueError("labels must be sorted by confidence, the highest first")
        if self.confidence is not None and abs(self.confidence - sure[0]) > _SAME:
            raise ValueError("confidence must be that of the first label")
        return self


class EmotionFile(_Part):
    """A whole file."""

    schema_version: Literal[1]
    source_pipeline: str
    emotions: list[Entry]
    media: dict[str, Any] | None = None
    labels: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None


def problems_of(file: Path) -> list[str]:
    """What is wrong with a file, a line for each problem; none if it follows the format.

    Raises:
        UsageError: It can not be read.
    """
    try:
        if file.stat().st_size > _LARGEST_BYTES:
            raise UsageError(f"{file} is larger than {_LARGEST_BYTES >> 20} MiB")
        text = file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file} can not be read: {error.strerror or error}") from error
    try:
        EmotionFile.model_validate_json(text)
    except ValidationError as error:
        return [f"{_place(one['loc'])}{_said(one['msg'])}" for one in error.errors(include_url=False)]
    return []


def _place(loc: tuple[int | str, ...]) -> str:
    path = ""
    for part in loc:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return f"{path}: " if path else ""


def _said(message: str) -> str:
    words = message.removeprefix("Value error, ")
    return words[:1].lower() + words[1:]
