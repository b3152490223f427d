"""The pipelines that can be asked for."""

from __future__ import annotations

from typing import Any

from frameloom.gateway.http.typed import FromPath
from frameloom.gateway.schemas.pipelines import (
    PipelineDescriptor,
    PipelineInfo,
    PipelineListResponse,
    PipelineParameter,
    PipelineSchemaResponse,
)
from frameloom.gateway.services.catalogue import Catalogue, Entry, Known
from frameloom.gateway.services.parameters import parameters, per_key

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


class PipelineHandlers:
    """What is known and what the fleet offers."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    async def list_pipelines(self) -> PipelineListResponse:
        """List every known pipeline, by name, whether or not a worker runs it now.

        `enabled` says whether a live worker runs it, `unavailable_reason` why none does.
        """
        known = await self._catalogue.known()
        pipelines = [_shown(entry, known) for entry in known.entries.values()]
        return PipelineListResponse(pipelines=pipelines, total=len(pipelines))

    async def get(self, pipeline_name: FromPath[str]) -> PipelineInfo:
        """Show a pipeline with its configuration, by its name or an alias."""
        known = await self._catalogue.known()
        return _shown(known.entry(pipeline_name), known)

    async def schema(self, pipeline_name: FromPath[str]) -> PipelineSchemaResponse:
        """Describe the parameters of a pipeline: as a list for a form, and as a JSON schema."""
        known = await self._catalogue.known()
        info = known.entry(pipeline_name).info
        return PipelineSchemaResponse(
            pipeline=PipelineDescriptor(
                id=info.name,
                name=info.display_name,
                description=info.description,
                group=info.pipeline_family,
                version=info.version,
            ),
            parameters=[PipelineParameter.model_validate(one) for one in parameters(info.config_schema)],
            json_schema={"$schema": _DIALECT, **_titled(info.config_schema, info.display_name)},
        )


def _titled(schema: dict[str, Any], title: str) -> dict[str, Any]:
    return {"type": "object", **schema, "title": title}


def _shown(entry: Entry, known: Known) -> PipelineInfo:
    info = entry.info
    return PipelineInfo(
        name=info.name,
        display_name=info.display_name,
        description=info.description,
        enabled=entry.enabled,
        pipeline_family=info.pipeline_family,
        variant=info.variant,
        tasks=list(info.tasks),
        modalities=list(info.modalities),
        capabilities=list(info.capabilities),
        backends=list(info.backends),
        stability=info.stability,
        outputs=[output.model_dump(mode="json") for output in info.outputs],
        config_schema=per_key(info.config_schema),
        examples=list(info.examples),
        version=info.version if entry.offered else None,
        aliases=list(known.names.aliases_of(info.name)),
        unavailable_reason=entry.reason,
    )
