"""When the stack is ready: what the gateway says about itself and about the services it has heard from."""

from __future__ import annotations

import asyncio
import http.client
import json
from typing import Any

SERVICES = ("gateway", "scheduler", "worker", "results")
_PATH = "/api/v1/health?detailed=true"
_POLL_SECONDS = 0.1
_REQUEST_SECONDS = 5.0


async def wait_until_healthy(host: str, port: int) -> None:
    """Asks the gateway until it and every service is healthy; the caller bounds the time."""
    while missing_services(await asyncio.to_thread(ask, host, port)):  # noqa: ASYNC110  (another process's state)
        await asyncio.sleep(_POLL_SECONDS)


def ask(host: str, port: int) -> dict[str, Any]:
    """The gateway's detailed health report; empty when there is none (yet)."""
    connection = http.client.HTTPConnection(host, port, timeout=_REQUEST_SECONDS)
    try:
        connection.request("GET", _PATH)
        answer = connection.getresponse()
        report = json.loads(answer.read()) if answer.status == 200 else {}
    except (OSError, http.client.HTTPException, ValueError):
        return {}
    finally:
        connection.close()
    return report if isinstance(report, dict) else {}


def missing_services(report: dict[str, Any]) -> list[str]:
    """The services that a health report does not show as healthy; all of them if it is not ``ok`` at all.

    The services may be listed as objects with a name, or as a mapping of name to object or status.
    """
    details = report.get("details")
    services = details.get("services") if isinstance(details, dict) else None
    if isinstance(services, dict):
        services = [{"name": name, "status": _status(value)} for name, value in services.items()]
    if report.get("status") != "ok" or not isinstance(services, list):
        return list(SERVICES)
    healthy = {
        item.get("service", item.get("name"))
        for item in services
        if isinstance(item, dict) and item.get("status") == "healthy"
    }
    return [name for name in SERVICES if name not in healthy]


def _status(value: object) -> object:
    return value.get("status") if isinstance(value, dict) else value
