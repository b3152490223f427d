"""How errors look."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from frameloom.gateway.schemas import Shape


class ErrorDetail(Shape):
    """What went wrong."""

    code: str = Field(description="Stable, machine-readable name.")
    message: str = Field(description="A sentence for people.")
    hint: str | None = Field(default=None, description="What to do about it.")
    detail: dict[str, Any] | None = Field(default=None, description="Facts for programs.")
    timestamp: str = Field(description="ISO 8601, UTC.")


class ErrorResponse(Shape):
    """The envelope of every error but 422, unknown routes and wrong methods."""

    error: ErrorDetail
    detail: str = Field(description="The message once more, where older clients look for it.")


class ValidationError(Shape):
    """One parameter that does not fit."""

    loc: list[str | int] = Field(title="Location")
    msg: str = Field(title="Message")
    type: str = Field(title="Error Type")
    input: Any = Field(default=None, title="Input", description="What was given")
    ctx: dict[str, Any] | None = Field(default=None, title="Context", description="Limits and reasons")


class HTTPValidationError(Shape):
    """Parameters that do not fit."""

    detail: list[ValidationError] = Field(default=[], title="Detail")
