"""``frameloom doctor``: what is here, what works, and what to do about the rest."""
# ruff: noqa: PLC0415 - imports at need keep `--help` quick

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from frameloom.client import options
from frameloom.client.errors import ExitCode
from frameloom.client.mode import MODE

if TYPE_CHECKING:
    from pathlib import Path

    from frameloom.client.checks import Finding


def doctor(
    server: options.Server = None,
    key_file: options.KeyFile = None,
    data: options.Data = None,
    as_json: options.AsJson = False,  # noqa: ARG001 - taken by its callback
    debug: options.Debug = False,  # noqa: ARG001 - taken by its callback
) -> None:
    """Check this machine and the server, and say what to do."""
    from frameloom.client.render import output
    from frameloom.client.running import run

    findings = run(_examine(server, key_file, options.folder_of_data(data)))
    code = _code(findings)
    if MODE.json:
        document = {"checks": [one.document() for one in findings], "exit_code": int(code)}
        output.emit_json(document, pretty=True)
    else:
        from frameloom.client.render.tables import doctor_table

        output.show(doctor_table(findings))
    raise typer.Exit(code)


async def _examine(server: str | None, key_file: Path | None, data: Path) -> list[Finding]:
    import os

    from frameloom.client.checks import installed, machine
    from frameloom.client.checks.server import server as ask

    connection = options.connected(server, key_file, data=data)
    return [
        installed.python(),
        installed.packages(),
        installed.embedded_servers(),
        installed.runtime(),
        machine.gpu(),
        machine.models_cache(os.environ),
        machine.disk(data),
        *await ask(connection, named=server is not None),
    ]


def _code(findings: list[Finding]) -> ExitCode:
    failed = [one.name for one in findings if one.verdict == "fail"]
    if any(name.startswith("server") for name in failed):
        return ExitCode.UNREACHABLE
    return ExitCode.MISSING if failed else ExitCode.OK
