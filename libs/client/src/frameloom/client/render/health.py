"""How the server is, a line for each part of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rich.table import Table

from frameloom.client.models import SystemHealth
from frameloom.client.render.cards import duration
from frameloom.client.render.tables import grid, plain, size, word

_Part = Mapping[str, Any]


def health_table(found: SystemHealth) -> Table:
    """The server as a whole, and its parts as far as it tells of them."""
    table = grid("PART", "", "FACTS")
    table.add_row(plain("server"), word(found.status), plain(_server(found)))
    for name, part, told in _parts(found):
        status = part.get("status")
        table.add_row(plain(name), word(status) if isinstance(status, str) else plain(""), plain(told(part)))
    for problem in found.problems:
        table.add_row(plain("problem"), word("warn"), plain(_problem(problem)))
    return table


def _parts(found: SystemHealth) -> list[tuple[str, _Part, Callable[[_Part], str]]]:
    """What is shown: name, facts, and how they are told; parts of which nothing is told are left out."""
    services = {name: part for name, part in found.services.items() if isinstance(part, Mapping)}
    parts = [
        ("database", found.database, _plain_facts),
        *((name, part, _plain_facts) for name, part in services.items() if name != "database"),
        ("services", _part(found.fleet.get("services")), _fleet),
        ("workers", found.workers, _workers),
        ("gpu", found.gpu, _gpu),
        ("pipelines", found.pipelines, _pipelines),
        ("machine", found.system, _machine),
        ("security", found.security, _plain_facts),
    ]
    return [(name, part, told) for name, part, told in parts if part]


def _part(value: Any) -> _Part:
    return value if isinstance(value, Mapping) else {}


def _server(found: SystemHealth) -> str:
    own = f"Frameloom {found.frameloom_version}" if found.frameloom_version else ""
    api = f"API of VideoAnnotator {found.videoannotator_version}" if found.videoannotator_version else ""
    up = f"up {duration(found.uptime_seconds)}" if found.uptime_seconds is not None else ""
    return "; ".join(filter(None, (own, api, up)))


def _fleet(part: _Part) -> str:
    return ", ".join(
        f"{name} {facts.get('instances', '')} {facts.get('status', '')}".replace("  ", " ")
        for name, facts in part.items()
        if isinstance(facts, Mapping)
    )


def _workers(part: _Part) -> str:
    busy, slots = part.get("busy_slots", part.get("active_jobs")), part.get("max_concurrent_workers")
    queued, waiting = part.get("queued_jobs"), part.get("queued_tasks")
    return "; ".join(
        text
        for text, known in (
            (f"{part.get('instances')} running", part.get("instances")),
            (f"{busy} of {slots} slots busy", slots),
            (f"{queued} jobs wait", queued),
            (f"{waiting} tasks wait", waiting),
        )
        if known is not None
    )


def _gpu(part: _Part) -> str:
    devices = [one for one in part.get("devices") or () if isinstance(one, Mapping)]
    if not part.get("available"):
        return str(part.get("reason") or "none")
    names = [str(one.get("name") or one.get("device_name") or one.get("id", "")) for one in devices]
    return ", ".join(filter(None, names)) or str(part.get("device_name") or "available")


def _pipelines(part: _Part) -> str:
    return ", ".join(map(str, part.get("names") or ())) or f"{part.get('total', 0)} in all"


def _machine(part: _Part) -> str:
    told = [str(part["platform"])] if part.get("platform") else []
    if part.get("cpu_count"):
        told.append(f"{part['cpu_count']} CPUs, {float(part.get('cpu_percent') or 0):.0f} % busy")
    told += [
        f"{name} {float(facts['percent']):.0f} % of {size(int(facts['total']))}"
        for name in ("memory", "disk")
        if (facts := _part(part.get(name))) and "percent" in facts and "total" in facts
    ]
    return "; ".join(told)


def _plain_facts(part: _Part) -> str:
    """The facts of a part that needs no words of its own; sentences stand for themselves."""
    return "; ".join(
        str(value) if name in {"message", "reason", "error"} else f"{name.replace('_', ' ')} {_fact(value)}"
        for name, value in part.items()
        if name != "status" and value not in (None, "", [], {}) and not isinstance(value, Mapping)
    )


def _fact(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.1f}"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _problem(problem: Any) -> str:
    return str(problem.get("message") or problem) if isinstance(problem, Mapping) else str(problem)
