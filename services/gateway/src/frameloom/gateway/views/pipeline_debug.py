"""Every pipeline, who runs it, and which of its models are loaded where."""

from __future__ import annotations

from typing import Any

from frameloom.common.documents import FleetMember, PipelineOffer, Service, TaskState
from frameloom.common.documents.facts import ModelFacts, SlotFacts
from frameloom.gateway.schemas.debug import (
    ComponentShape,
    DebugPipelineShape,
    DebugPipelinesResponse,
    PipelineWorkerShape,
)
from frameloom.gateway.services.caller import Caller
from frameloom.gateway.services.overview import Overview
from frameloom.gateway.services.parameters import per_key
from frameloom.gateway.views import fleet as fleets

_WORDS = {"minimum": "min", "maximum": "max", "enum": "options"}
_NOT_RUN = "No live worker runs it"


def pipelines(overview: Overview, caller: Caller) -> DebugPipelinesResponse:
    """Every pipeline that was offered, by name."""
    return DebugPipelinesResponse(pipelines=[_pipeline(offer, overview, caller) for offer in overview.offers])


def _pipeline(offer: PipelineOffer, overview: Overview, caller: Caller) -> DebugPipelineShape:
    name = offer.id
    runs, slots = name in overview.running, [slot for _, slot in overview.slots]
    settings = {key: _worded(part) for key, part in per_key(offer.info.config_schema).items()}
    live = overview.backlog.tasks if overview.backlog else None
    reason = offer.reason if not offer.available else None if runs else _NOT_RUN
    return DebugPipelineShape(
        name=name,
        display_name=offer.info.display_name,
        description=offer.info.description,
        version=offer.info.version,
        status="ready" if runs else "no_worker" if offer.available else "unavailable",
        enabled=runs,
        reason=reason,
        warm=any(name in slot.warm_pipelines for slot in slots),
        components=[_component(model, slots, enabled=runs) for model in offer.models],
        parameters=settings,
        workers=[
            _worker(member, name, caller)
            for member in overview.of(Service.WORKER)
            if name in member.pipelines
        ],
        queued_tasks=None if live is None else live.get((name, TaskState.QUEUED), 0),
        running_tasks=None if live is None else live.get((name, TaskState.RUNNING), 0),
    )


def _component(model: ModelFacts, slots: list[SlotFacts], *, enabled: bool) -> ComponentShape:
    loaded = sum(any(held.sha256 == model.sha256 for held in slot.models) for slot in slots)
    return ComponentShape(
        name=model.name,
        enabled=enabled,
        model_loaded=loaded > 0,
        loaded_in_slots=loaded,
        model=fleets.model(model),
        cached=model.cached,
        error=None if model.cached is not False else "Not in the worker's cache: fetched when first needed",
        parameters={},
    )


def _worker(member: FleetMember, name: str, caller: Caller) -> PipelineWorkerShape:
    slots = member.facts.worker.slots if member.facts.worker else ()
    return PipelineWorkerShape(
        id=member.id,
        status=member.liveness.value,
        slots_total=member.slots,
        slots_busy=sum(slot.pipeline == name for slot in slots),
        slots_warm=sum(name in slot.warm_pipelines for slot in slots),
        host=member.host if fleets.sees_insides(caller) else None,
    )


def _worded(part: dict[str, Any]) -> dict[str, Any]:
    return {_WORDS.get(key, key): value for key, value in part.items()}
