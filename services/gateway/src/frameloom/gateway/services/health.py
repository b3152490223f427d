"""Whether the gateway's dependencies answer, and which services live: the parts of ``/api/v1/health``."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from frameloom.common.documents import FleetMember, Service
from frameloom.common.errors import FrameloomError
from frameloom.gateway.services.caller import Caller, Scope
from frameloom.gateway.services.overview import Overview, ServerState
from frameloom.gateway.services.tally import Tally
from frameloom.gateway.services.watch import DATABASE, Watch

_COUNT_WITHIN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Report:
    """What was found: whether all dependencies answer, and the facts of each."""

    ok: bool
    details: dict[str, Any]


class HealthService:
    """Tells what the watch has seen."""

    def __init__(self, watch: Watch, tally: Tally) -> None:
        self._watch = watch
        self._tally = tally

    async def report(self, caller: Caller) -> Report:
        """The state of database, storage, broker, registry and services."""
        overview, count = await asyncio.gather(self._watch.overview(), self._count(caller))
        insides = caller.may(Scope.ADMIN)
        servers = {name: _server(state, insides=insides) for name, state in overview.servers.items()}
        if count is not None:
            servers[DATABASE]["jobs_count"] = count
        names = [offer.id for offer in overview.offers]
        return Report(
            ok=all(state.ok for state in overview.servers.values()),
            details={
                **servers,
                "registry": {"status": "ok", "pipelines_loaded": len(names), "pipeline_names": names},
                "gpu": _gpu(overview),
                "services": {service.value: _service(service, overview, caller) for service in Service},
            },
        )

    async def database(self) -> ServerState:
        """The state of the database alone."""
        return (await self._watch.servers())[DATABASE]

    def memory_percent(self) -> float | None:
        """How much of this host's memory is in use, as it was sampled last."""
        host = self._watch.me.facts.host
        return host.memory.percent if host else None

    async def _count(self, caller: Caller) -> int | None:
        """The caller's jobs; of somebody without a key, all: a number and no more."""
        try:
            async with asyncio.timeout(_COUNT_WITHIN_SECONDS):
                if caller.may(Scope.JOBS_READ):
                    return await self._tally.total(caller.tenant)
                return sum((await self._tally.by_status(None)).values())
        except (FrameloomError, TimeoutError):
            return None


def _server(state: ServerState, *, insides: bool) -> dict[str, Any]:
    if state.ok:
        return {"status": "ok", "message": state.message}
    return {"status": "error", "error": state.reason if insides and state.reason else state.message}


def _service(service: Service, overview: Overview, caller: Caller) -> dict[str, Any]:
    own = overview.of(service)
    insides = caller.may(Scope.ADMIN)
    return {
        "status": overview.state(service).value,
        "instances": len(own),
        "members": [_member(member, insides=insides) for member in own],
    }


def _member(member: FleetMember, *, insides: bool) -> dict[str, Any]:
    return {
        "id": member.id,
        **({"host": member.host, "pid": member.pid} if insides else {}),
        "version": member.version,
        "status": member.liveness.value,
        "started_at": member.started_at,
        "seen_at": member.seen_at,
        **({"slots": member.slots, "pipelines": list(member.pipelines)} if member.slots else {}),
    }


def _gpu(overview: Overview) -> dict[str, Any]:
    """The GPUs that workers announce."""
    devices = [gpu.facts.model_dump(mode="json", exclude={"uuid"}) for gpu in overview.gpus]
    if not devices:
        return {"available": False, "reason": "No live worker announces a GPU"}
    return {"available": True, "device_count": len(devices), "devices": devices}
