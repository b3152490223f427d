"""Checking of configurations. The long names are those of the components in VideoAnnotator's document."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from frameloom.gateway.schemas import Shape


class videoannotator__api__v1__pipelines__ConfigValidationRequest(BaseModel):  # noqa: N801 - see above
    """Request for config validation."""

    model_config = ConfigDict(title="ConfigValidationRequest")

    config: dict[str, Any] = Field(title="Config")
    selected_pipelines: list[str] | None = Field(
        default=None, title="Selected Pipelines", description="Not used: the path names the pipeline"
    )


class videoannotator__api__v1__pipelines__ConfigValidationResponse(Shape):  # noqa: N801
    """Response for config validation."""

    model_config = ConfigDict(title="ConfigValidationResponse")

    valid: bool = Field(title="Valid")
    errors: list[dict[str, Any]] = Field(
        title="Errors",
        description="`{field, message, code, hint}`; codes: `VALUE_OUT_OF_RANGE`, `INVALID_TYPE`, "
        "`INVALID_VALUE`, `REQUIRED_FIELD_MISSING`, `PIPELINE_NOT_FOUND`",
    )
    warnings: list[dict[str, Any]] = Field(title="Warnings", description="`{field, message, suggestion}`")
    message: str = Field(title="Message")


class videoannotator__api__v1__config__ConfigValidationRequest(BaseModel):  # noqa: N801
    """Request for full configuration validation."""

    model_config = ConfigDict(title="ConfigValidationRequest")

    config: dict[str, Any] = Field(title="Config")
    selected_pipelines: list[str] | None = Field(
        default=None,
        title="Selected Pipelines",
        description="Without it: the pipelines that have a section, else those that run by default",
    )


class videoannotator__api__v1__config__ConfigValidationResponse(Shape):  # noqa: N801
    """Response for config validation."""

    model_config = ConfigDict(title="ConfigValidationResponse")

    valid: bool = Field(title="Valid")
    errors: list[dict[str, Any]] = Field(
        title="Errors", description="`{field, message, code, hint, pipeline}`"
    )
    warnings: list[dict[str, Any]] = Field(
        title="Warnings", description="`{field, message, suggestion, pipeline}`"
    )
    message: str = Field(title="Message")
    pipelines_validated: list[str] = Field(title="Pipelines Validated")
