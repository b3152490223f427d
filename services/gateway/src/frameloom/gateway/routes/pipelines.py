"""Pipelines and their configuration."""

from __future__ import annotations

from frameloom.gateway.errors import InvalidRequestError, PayloadTooLargeError, PipelineNotFoundError
from frameloom.gateway.handlers.pipelines import PipelineHandlers
from frameloom.gateway.handlers.validation import ValidationHandlers
from frameloom.gateway.http.typed import Operation

_TAGS = ("pipelines",)


def pipeline_operations(pipelines: PipelineHandlers) -> list[Operation]:
    """What is known and what the fleet offers."""
    return [
        Operation(
            method="GET",
            path="/api/v1/pipelines/",
            id="list_pipelines_api_v1_pipelines__get",
            summary="List all available video annotation pipelines",
            handler=pipelines.list_pipelines,
            tags=_TAGS,
            slashless_status=200,
        ),
        Operation(
            method="GET",
            path="/api/v1/pipelines/{pipeline_name}",
            id="get_pipeline_info_api_v1_pipelines__pipeline_name__get",
            summary="Get detailed information about a specific pipeline",
            handler=pipelines.get,
            tags=_TAGS,
            errors=(PipelineNotFoundError,),
        ),
        Operation(
            method="GET",
            path="/api/v1/pipelines/{pipeline_name}/schema",
            id="get_pipeline_schema_api_v1_pipelines__pipeline_name__schema_get",
            summary="Get the parameters of a pipeline",
            handler=pipelines.schema,
            tags=_TAGS,
            errors=(PipelineNotFoundError,),
        ),
        Operation(
            method="GET",
            path="/api/v1/pipelines/schema/{pipeline_name}",
            id="get_pipeline_schema_api_v1_pipelines_schema__pipeline_name__get",
            summary="Get the parameters of a pipeline (the viewer's other path)",
            handler=pipelines.schema,
            tags=_TAGS,
            errors=(PipelineNotFoundError,),
        ),
    ]


def validation_operations(validation: ValidationHandlers) -> list[Operation]:
    """Checks of configurations."""
    return [
        Operation(
            method="POST",
            path="/api/v1/pipelines/{pipeline_name}/validate",
            id="validate_pipeline_config_api_v1_pipelines__pipeline_name__validate_post",
            summary="Validate Pipeline Config",
            handler=validation.pipeline_config,
            tags=_TAGS,
            errors=(InvalidRequestError, PipelineNotFoundError, PayloadTooLargeError),
        ),
        Operation(
            method="POST",
            path="/api/v1/config/validate",
            id="validate_config_api_v1_config_validate_post",
            summary="Validate Config",
            handler=validation.job_config,
            tags=("config",),
            errors=(InvalidRequestError, PayloadTooLargeError),
        ),
    ]
