"""Pipelines and their settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from frameloom.client.answers import parse
from frameloom.client.models import Pipeline, PipelineList, PipelineSchema, Validation
from frameloom.client.transport import API, Calls, segment


class PipelineCalls(Calls):
    """Calls about pipelines."""

    async def pipelines(self) -> tuple[Pipeline, ...]:
        """What the server can run."""
        return (await self._transport.get(PipelineList, f"{API}/pipelines/")).pipelines

    async def pipeline(self, name: str) -> Pipeline:
        """One pipeline.

        Raises:
            NotFoundError: The server has none of this name.
        """
        return await self._transport.get(Pipeline, f"{API}/pipelines/{segment(name)}")

    async def schema(self, name: str) -> PipelineSchema:
        """The settings of a pipeline, as a form would ask for them.

        Raises:
            NotFoundError: The server has none of this name.
        """
        return await self._transport.get(PipelineSchema, f"{API}/pipelines/{segment(name)}/schema")

    async def validate(self, pipeline: str, config: Mapping[str, Any]) -> Validation:
        """What the server thinks of the settings of one pipeline.

        Raises:
            NotFoundError: The server has none of this name.
        """
        path = f"{API}/pipelines/{segment(pipeline)}/validate"
        # To ask changes nothing, so this POST may be repeated.
        return parse(Validation, await self._transport.send("POST", path, json={"config": dict(config)}))

    async def validate_config(
        self, config: Mapping[str, Any], *, pipelines: Sequence[str] | None = None
    ) -> Validation:
        """What the server thinks of a configuration, just as it would when a job with it is submitted.

        Args:
            config: Settings by pipeline.
            pipelines: The pipelines of the job; those that the configuration names unless given.
        """
        body = {
            "config": dict(config),
            "selected_pipelines": list(config if pipelines is None else pipelines),
        }
        return parse(Validation, await self._transport.send("POST", f"{API}/config/validate", json=body))
