"""Pipelines, their settings, and what the server thinks of a configuration."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from frameloom.client.models.answer import Answer


class Pipeline(Answer):
    """A pipeline that the server offers (PipelineInfo of the API)."""

    name: str
    display_name: str | None = None
    description: str = ""
    enabled: bool = True
    pipeline_family: str | None = None
    variant: str | None = None
    stability: str | None = None
    tasks: tuple[str, ...] = ()
    modalities: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    backends: tuple[str, ...] = ()
    outputs: tuple[dict[str, Any], ...] = ()
    config_schema: dict[str, Any] = Field(default_factory=dict)
    unavailable_reason: str | None = None

    @property
    def settings(self) -> dict[str, dict[str, Any]]:
        """The facts of each setting by its name, from either kind of schema."""
        properties = self.config_schema.get("properties", self.config_schema)
        facts = properties.items() if isinstance(properties, dict) else ()
        return {name: one for name, one in facts if isinstance(one, dict)}

    @property
    def defaults(self) -> dict[str, Any]:
        """The settings that have a default, with it: a configuration to begin from."""
        return {name: facts["default"] for name, facts in self.settings.items() if "default" in facts}


class PipelineList(Answer):
    """All pipelines that the server offers."""

    pipelines: tuple[Pipeline, ...]
    total: int | None = None


class Parameter(Answer):
    """One setting of a pipeline, as a form would ask for it."""

    name: str
    type: str | None = None
    default: Any = None
    description: str | None = None


class PipelineSchema(Answer):
    """The settings of a pipeline."""

    parameters: tuple[Parameter, ...] = ()


class Problem(Answer):
    """Something wrong with a configuration, or (as a warning) odd about it."""

    field: str = ""
    message: str = ""
    code: str | None = None
    hint: str | None = None
    suggestion: str | None = None
    pipeline: str | None = None


class Validation(Answer):
    """What the server thinks of a configuration."""

    valid: bool
    errors: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    message: str | None = None
    pipelines_validated: tuple[str, ...] = ()
