"""Pipelines."""

from __future__ import annotations

from typing import Any

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from frameloom.gateway.schemas import Shape


class PipelineInfo(Shape):
    """Information about an available pipeline (extended taxonomy)."""

    name: str = Field(title="Name")
    display_name: str | None = Field(default=None, title="Display Name")
    description: str = Field(title="Description")
    enabled: bool = Field(default=True, title="Enabled", description="A live worker runs it now")
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
    version: str | None = Field(
        default=None, title="Version", description="Of what the workers run; none before one has offered it"
    )
    aliases: list[str] = Field(default=[], title="Aliases", description="What else it may be called")
    unavailable_reason: str | None = Field(
        default=None, title="Unavailable Reason", description="Why it is not enabled"
    )


class PipelineListResponse(Shape):
    """Response for pipeline listing."""

    pipelines: list[PipelineInfo] = Field(title="Pipelines")
    total: int = Field(title="Total")


class PipelineDescriptor(Shape):
    """A pipeline in the words of VideoAnnotator's viewer."""

    id: str = Field(description="Its name, for jobs")
    name: str = Field(description="Its name, for people")
    description: str
    group: str | None = None
    version: str | None = None


class PipelineParameter(Shape):
    """One setting, as a form needs it. What does not apply is left out."""

    name: str
    type: str = Field(description="boolean, string, integer, number, object, array, or enum: one of `enum`")
    label: str
    description: str
    required: bool
    default: Any
    nullable: bool = Field(description="null is a value too")
    min: float | None = None
    max: float | None = None
    exclusive_min: bool | None = Field(default=None, description="`min` itself is not allowed")
    exclusive_max: bool | None = Field(default=None, description="`max` itself is not allowed")
    step: float | None = None
    pattern: str | None = None
    max_length: int | None = None
    options: list[Any] | None = Field(default=None, description="The values that are possible")
    enum: list[dict[str, Any]] | None = Field(
        default=None, description="The same for a form: `{value, label}` each"
    )
    properties: list[PipelineParameter] | None = Field(default=None, description="Of an object")

    @model_serializer(mode="wrap")
    def _without_blanks(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Forms read an absent limit as none, and ``null`` as zero."""
        shown: dict[str, Any] = serialize(self)
        return {key: value for key, value in shown.items() if value is not None or key == "default"}


class PipelineSchemaResponse(Shape):
    """The settings of a pipeline."""

    pipeline: PipelineDescriptor
    parameters: list[PipelineParameter]
    json_schema: dict[str, Any] = Field(description="The same as a JSON schema, 2020-12")
