"""The pipelines that can be asked for."""

from __future__ import annotations

from frameloom.gateway.http.typed import FromPath
from frameloom.gateway.schemas.pipelines import PipelineInfo, PipelineListResponse
from frameloom.gateway.services.catalogue import Catalogue, Entry
from frameloom.gateway.services.configuration import per_key


class PipelineHandlers:
    """What the fleet offers."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    async def list_pipelines(self) -> PipelineListResponse:
        """List the pipelines that workers have offered."""
        pipelines = [_shown(entry) for entry in await self._catalogue.entries()]
        return PipelineListResponse(pipelines=pipelines, total=len(pipelines))

    async def get(self, pipeline_name: FromPath[str]) -> PipelineInfo:
        """Show a pipeline with its configuration."""
        return _shown(await self._catalogue.entry(pipeline_name))


def _shown(entry: Entry) -> PipelineInfo:
    info = entry.offer.info
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
        version=info.version,
        unavailable_reason=None if entry.offer.available else entry.offer.reason,
    )
