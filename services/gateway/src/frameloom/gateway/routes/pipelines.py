"""Pipelines and their configuration."""

from __future__ import annotations

from frameloom.gateway.errors import PipelineNotFoundError
from frameloom.gateway.handlers.pipelines import PipelineHandlers
from frameloom.gateway.http.typed import Operation


def pipeline_operations(pipelines: PipelineHandlers) -> list[Operation]:
    """What the fleet offers."""
    tags = ("pipelines",)
    return [
        Operation(
            method="GET",
            path="/api/v1/pipelines/",
            id="list_pipelines_api_v1_pipelines__get",
            summary="List all available video annotation pipelines",
            handler=pipelines.list_pipelines,
            tags=tags,
            slashless_status=200,
        ),
        Operation(
            method="GET",
            path="/api/v1/pipelines/{pipeline_name}",
            id="get_pipeline_info_api_v1_pipelines__pipeline_name__get",
            summary="Get detailed information about a specific pipeline",
            handler=pipelines.get,
            tags=tags,
            errors=(PipelineNotFoundError,),
        ),
    ]
