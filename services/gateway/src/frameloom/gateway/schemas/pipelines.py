"""Pipelines."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from frameloom.gateway.schemas import Shape


class PipelineInfo(Shape):
    """Information about an available pipeline (extended taxonomy)."""

    name: str = Field(title="Name")
    display_name: str | None = Field(default=None, title="Display Name")
    description: str = Field(title="Description")
    enabled: bool = Field(
        default=True, title="Enabled", description="A live worker can run it now; a job for it else waits"
    )
    pipeline_family: str | None = Field(default=None, title="Pipeline Family")
    variant: str | None = Field(default=None, title="Variant")
    tasks: list[str] = Field(default=[], title="Tasks")
    modalities: list[str] = Field(default=[], title="Modalities")
    capabilities: list[str] = Field(default=[], title="Capabilities")
    backends: list[str] = Field(default=[], title="Backends")
    stability: str | None = Field(default=None, title="Stability")
    outputs: list[dict[str, Any]] = Field(title="Outputs")
    config_schema: dict[str, Any] = Field(
        title="Config Schema",
        description="By key: type, default, description, and limits if any",
    )
    examples: list[dict[str, Any]] = Field(default=[], title="Examples")
    version: str | None = Field(default=None, title="Version")
    unavailable_reason: str | None = Field(default=None, title="Unavailable Reason")


class PipelineListResponse(Shape):
    """Response for pipeline listing."""

    pipelines: list[PipelineInfo] = Field(title="Pipelines")
    total: int = Field(title="Total")
