"""Checking a configuration before a job is submitted with it."""

from __future__ import annotations

from frameloom.gateway.http.typed import FromBody, FromPath
from frameloom.gateway.schemas.validation import (
    videoannotator__api__v1__config__ConfigValidationRequest,
    videoannotator__api__v1__config__ConfigValidationResponse,
    videoannotator__api__v1__pipelines__ConfigValidationRequest,
    videoannotator__api__v1__pipelines__ConfigValidationResponse,
)
from frameloom.gateway.services.validation import ValidationService


class ValidationHandlers:
    """The judgement that a submission would get, without submitting."""

    def __init__(self, validation: ValidationService) -> None:
        self._validation = validation

    async def pipeline_config(
        self,
        pipeline_name: FromPath[str],
        request: FromBody[videoannotator__api__v1__pipelines__ConfigValidationRequest],
    ) -> videoannotator__api__v1__pipelines__ConfigValidationResponse:
        """Check a configuration against one pipeline, by its name or an alias.

        `errors` has `{field, message, code, hint}`, `warnings` has `{field, message, suggestion}`.
        """
        verdict = await self._validation.of_pipeline(pipeline_name, request.config)
        message = (
            "Configuration is valid" if verdict.valid else f"Configuration has {len(verdict.errors)} error(s)"
        )
        if verdict.valid and verdict.warnings:
            message += f" ({len(verdict.warnings)} warning(s))"
        return videoannotator__api__v1__pipelines__ConfigValidationResponse(
            valid=verdict.valid,
            errors=[error.item(pipeline=False) for error in verdict.errors],
            warnings=[warning.item(pipeline=False) for warning in verdict.warnings],
            message=message,
        )

    async def job_config(
        self, request: FromBody[videoannotator__api__v1__config__ConfigValidationRequest]
    ) -> videoannotator__api__v1__config__ConfigValidationResponse:
        """Check a job's configuration against its pipelines; what is valid here, a submission accepts.

        Without `selected_pipelines` it is checked for the pipelines that have a section in it, else for
        those that run by default. The items are as in the check of one pipeline, with `pipeline` beside.
        """
        verdict = await self._validation.of_job(request.config, request.selected_pipelines or ())
        if verdict.valid:
            message = f"Configuration is valid for all {len(verdict.pipelines)} pipeline(s)"
            message += f" ({len(verdict.warnings)} warning(s) total)" if verdict.warnings else ""
        else:
            wrong = list(dict.fromkeys(error.pipeline for error in verdict.errors))
            message = f"Configuration has errors in {len(wrong)} pipeline(s): {', '.join(wrong)}"
        return videoannotator__api__v1__config__ConfigValidationResponse(
            valid=verdict.valid,
            errors=[error.item() for error in verdict.errors],
            warnings=[warning.item() for warning in verdict.warnings],
            message=message,
            pipelines_validated=list(verdict.pipelines),
        )
