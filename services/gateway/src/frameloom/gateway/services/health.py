"""Whether the gateway's dependencies answer, and which services live."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frameloom.common.documents import FleetMember, Liveness, Service
from frameloom.common.errors import FrameloomError
from frameloom.common.ports.stores import FleetStore, JobStore
from frameloom.gateway.services.caller import Caller
from frameloom.gateway.services.tally import Tally

Probe = Callable[[], Awaitable[None]]
_NOBODY = "00000000-0000-0000-0000-000000000000"
_MEMINFO = Path("/proc/meminfo")


@dataclass(frozen=True, slots=True)
class Report:
    """What was found: whether all dependencies answer, and the facts of each."""

    ok: bool
    details: dict[str, Any]


class HealthService:
    """Asks the dependencies, all at once, each with a time limit."""

    def __init__(
        self,
        jobs: JobStore,
        tally: Tally,
        fleet: FleetStore,
        probes: Mapping[str, Probe],
        timeout_seconds: float,
    ) -> None:
        self._jobs = jobs
        self._tally = tally
        self._fleet = fleet
        self._probes = probes
        self._timeout_seconds = timeout_seconds

    async def report(self, caller: Caller) -> Report:
        """The state of database, storage, broker, registry and services."""
        checks: dict[str, Callable[[], Awaitable[dict[str, Any]]]] = {
            "database": lambda: self._database(caller),
            "registry": self._registry,
            **{name: _probing(name, probe) for name, probe in self._probes.items()},
        }
        found = await asyncio.gather(*(self._bounded(check) for check in checks.values()))
        details: dict[str, Any] = dict(zip(checks, found, strict=True))
        members = await self._members()
        details["gpu"] = _gpu(members)
        details["services"] = {service.value: _service(service, members) for service in Service}
        return Report(ok=all(entry["status"] == "ok" for entry in found), details=details)

    async def database(self, caller: Caller) -> dict[str, Any]:
        """The state of the database alone."""
        return await self._bounded(lambda: self._database(caller))

    async def _database(self, caller: Caller) -> dict[str, Any]:
        await self._jobs.get(_NOBODY)  # the count alone would not show that the database answers
        count = await self._tally.total(caller.tenant)
        return {"status": "ok", "message": "Database is accessible", "jobs_count": count}

    async def _registry(self) -> dict[str, Any]:
        names = [offer.id for offer in await self._fleet.offers()]
        return {"status": "ok", "pipelines_loaded": len(names), "pipeline_names": names}

    async def _members(self) -> list[FleetMember]:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await self._fleet.live()
        except (FrameloomError, TimeoutError):
            return []  # the database's own entry tells why

    async def _bounded(self, check: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await check()
        except TimeoutError:
            return {"status": "error", "error": f"No answer after {self._timeout_seconds:g}s"}
        except FrameloomError as error:
            return {"status": "error", "error": error.message}


def memory_percent() -> float | None:
    """How much of the machine's memory is in use; None where the kernel does not tell."""
    try:
        lines = dict(line.split(":", 1) for line in _MEMINFO.read_text().splitlines())
        total, free = (int(lines[name].split()[0]) for name in ("MemTotal", "MemAvailable"))
    except (OSError, KeyError, ValueError):
        return None
    return round(100 * (1 - free / total), 1)


def _probing(name: str, probe: Probe) -> Callable[[], Awaitable[dict[str, Any]]]:
    async def check() -> dict[str, Any]:
        await probe()
        return {"status": "ok", "message": f"{name.capitalize()} is accessible"}

    return check


def _service(service: Service, members: list[FleetMember]) -> dict[str, Any]:
    own = [member for member in members if member.service is service]
    healthy = any(member.liveness is Liveness.HEALTHY for member in own)
    return {
        "status": "healthy" if healthy else "draining" if own else "missing",
        "instances": len(own),
        "members": [
            {
                "id": member.id,
                "host": member.host,
                "pid": member.pid,
                "version": member.version,
                "status": member.liveness.value,
                "started_at": member.started_at,
                "seen_at": member.seen_at,
                **({"slots": member.slots, "pipelines": list(member.pipelines)} if member.slots else {}),
            }
            for member in own
        ],
    }


def _gpu(members: list[FleetMember]) -> dict[str, Any]:
    """The GPUs that workers announce."""
    devices = [
        gpu.model_dump(mode="json", exclude={"uuid"})
        for member in members
        if member.facts.worker is not None
        for gpu in member.facts.worker.gpus
    ]
    if not devices:
        return {"available": False, "reason": "No live worker announces a GPU"}
    return {"available": True, "device_count": len(devices), "devices": devices}
