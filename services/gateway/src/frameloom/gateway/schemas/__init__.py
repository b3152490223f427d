"""The shapes of the REST API: what goes in and out, named as in VideoAnnotator's OpenAPI document."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Shape(BaseModel):
    """A shape of an answer: what stands here is what is sent, no more."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def absent(value: object) -> bool:
    """For ``exclude_if``: what is not known is left out, instead of being told as null."""
    return value is None
