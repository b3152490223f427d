"""``videoannotator diagnose``: this machine and the server, in the four parts that the original looks at."""
# ruff: noqa: PLC0415 - imports at need keep `--help` quick

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from frameloom.client.compat.words import LOCAL, Server, document, echo, stop

if TYPE_CHECKING:
    from collections.abc import Sequence

    from frameloom.client.checks import Finding

_NAMES = {"system": "System", "gpu": "GPU", "storage": "Storage", "database": "Database"}
_STATUS = {"ok": "ok", "warn": "warning", "fail": "error"}
_MARKS = {"ok": "[OK]", "warning": "[WARNING]", "error": "[ERROR]"}


def diagnose(
    component: Annotated[
        str, typer.Argument(help="Component to diagnose: system, gpu, storage, database, or all")
    ] = "all",
    as_json: Annotated[bool, typer.Option("--json", help="Output results as JSON for scripting")] = False,
    server: Server = LOCAL,
) -> None:
    """Run diagnostics. Exit codes: 0 all passed, 1 errors, 2 warnings."""
    wanted = list(_NAMES) if component.lower() == "all" else [component.lower()]
    if wanted[0] not in _NAMES:
        stop(f"[ERROR] Unknown component: {component}", f"Valid components: {', '.join(_NAMES)}, all")
    parts = {name: _part(_findings(name, server)) for name in wanted}
    states = {part["status"] for part in parts.values()}
    overall = next(state for state in ("error", "warning", "ok") if state in states)
    if as_json:
        document({"overall_status": overall, "components": parts})
    else:
        _tell(parts, overall)
    raise typer.Exit({"ok": 0, "error": 1, "warning": 2}[overall])


def _findings(name: str, address: str) -> Sequence[Finding]:
    from frameloom.client.checks import installed, machine
    from frameloom.client.checks.server import server
    from frameloom.client.credentials import data_folder
    from frameloom.client.options import connected

    if name == "system":
        return [installed.python(), installed.packages(), installed.embedded_servers(), installed.runtime()]
    if name == "gpu":
        return [machine.gpu()]
    if name == "storage":
        return [machine.disk(data_folder()), machine.models_cache(os.environ)]
    return asyncio.run(server(connected(address), named=True))


def _part(findings: Sequence[Finding]) -> dict[str, Any]:
    verdicts = {one.verdict for one in findings}
    worst = next(verdict for verdict in ("fail", "warn", "ok") if verdict in verdicts)
    told = [f"{one.name}: {one.message}{f' ({one.advice})' if one.advice else ''}" for one in findings]
    return {
        "status": _STATUS[worst],
        "errors": [line for line, one in zip(told, findings, strict=True) if one.verdict == "fail"],
        "warnings": [line for line, one in zip(told, findings, strict=True) if one.verdict == "warn"],
        "findings": {one.name: {"message": one.message, **one.facts} for one in findings},
    }


def _tell(parts: dict[str, dict[str, Any]], overall: str) -> None:
    echo()
    echo("=== VideoAnnotator Diagnostics ===")
    echo()
    for name, part in parts.items():
        echo(f"{_NAMES[name]}: {_MARKS[part['status']]}")
        for line in part["errors"]:
            echo(f"  [ERROR] {line}")
        for line in part["warnings"]:
            echo(f"  [WARN] {line}")
        for what, facts in part["findings"].items():
            if not any(line.startswith(f"{what}: ") for line in (*part["errors"], *part["warnings"])):
                echo(f"  {what}: {facts['message']}")
        echo()
    echo(
        {
            "ok": "[OK] All diagnostics passed",
            "warning": "[WARNING] Some checks have warnings",
            "error": "[ERROR] Critical issues detected",
        }[overall]
    )
