"""Whether a server answers, and how it is."""

from __future__ import annotations

import time
from typing import Any

from frameloom.client.api import AsyncClient
from frameloom.client.checks import Finding, Verdict
from frameloom.client.errors import ClientError, RefusedError, UnreachableError

_BAD = frozenset({"error", "unhealthy", "down", "failed"})
_SENTENCES = frozenset({"message", "reason", "error"})
_POOR = frozenset({"warning", "degraded", "unknown"})


async def server(connection: AsyncClient, *, named: bool) -> list[Finding]:
    """The server's health, one finding for it and one for each of its parts.

    Args:
        connection: Where it should be, with the key.
        named: The user named it. Else it is only the usual place, and need not be there.
    """
    address = connection.server
    started = time.monotonic()
    try:
        async with connection as client:
            health = await client.health(detailed=True)
            key = await _key(client)
    except ClientError as error:
        facts: dict[str, Any] = {"url": address, "code": error.code}
        if not named and isinstance(error, UnreachableError):
            advice = "Start one with `frameloom up`, or name one with --server or FRAMELOOM_SERVER"
            return [Finding("server", "warn", f"none at {address}", advice, facts)]
        return [Finding("server", "fail", error.message, error.hint or "", facts)]
    took = (time.monotonic() - started) * 1000
    status = str(health.get("status", "unknown"))
    facts = {
        "url": address,
        "status": status,
        "version": health.get("version"),
        "milliseconds": round(took, 1),
    }
    message = f"{address} answers {status} in {took:.0f} ms, version {health.get('version', 'unknown')}"
    bad = status in _BAD
    first = Finding("server", "fail" if bad else "ok", message, "See the parts below" if bad else "", facts)
    details = health.get("details")
    parts = details.items() if isinstance(details, dict) else ()
    return [
        first,
        key,
        *(
            _services(facts) if name == "services" else _part(name, facts)
            for name, facts in parts
            if isinstance(facts, dict)
        ),
    ]


async def _key(client: AsyncClient) -> Finding:
    """Whether the key opens anything there, or none is needed."""
    origin = client.key.origin if client.key else None
    facts = {"origin": origin}
    try:
        await client.jobs_page(per_page=1)
    except RefusedError as error:
        return Finding("server: key", "fail", error.message, error.hint or "", facts)
    except ClientError as error:
        return Finding("server: key", "warn", f"can not be tried: {error.message}", error.hint or "", facts)
    told = f"that from {origin} works" if origin else "none is sent, and none is needed"
    return Finding("server: key", "ok", told, facts=facts)


def _services(services: dict[str, Any]) -> Finding:
    """Which services of the fleet live."""
    states = {name: facts for name, facts in services.items() if isinstance(facts, dict)}
    gone = [name for name, facts in states.items() if facts.get("status") == "missing"]
    words = ", ".join(
        f"{name} {facts.get('instances', facts.get('status'))}" for name, facts in states.items()
    )
    if gone:
        advice = f"Start {', '.join(f'frameloom-{name}' for name in gone)}: accepted jobs wait for it"
        return Finding("server: services", "fail", words, advice, services)
    return Finding("server: services", "ok", words, facts=services)


def _fact(value: str | float) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _part(name: str, facts: dict[str, Any]) -> Finding:
    status = str(facts.get("status", "")).lower()
    verdict: Verdict = "fail" if status in _BAD else "warn" if status in _POOR else "ok"
    plain = [
        str(value) if key in _SENTENCES else f"{key.replace('_', ' ')} {_fact(value)}"
        for key, value in facts.items()
        if key != "status" and isinstance(value, str | int | float) and value != ""
    ]
    plain += [", ".join(map(str, value)) for value in facts.values() if isinstance(value, list) and value]
    words = "; ".join(plain) or status or "answers"
    advice = "Look at this part's log on the server" if verdict == "fail" else ""
    return Finding(f"server: {name}", verdict, words, advice, facts)
