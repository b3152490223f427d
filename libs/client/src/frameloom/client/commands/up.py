"""``frameloom up``: the whole stack in one terminal."""
# ruff: noqa: PLC0415 - imports at need keep `--help` quick

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from frameloom.client import options


class Only(StrEnum):
    """What ``--only`` may name."""

    SERVERS = "servers"


def up(
    data: options.Data = None,
    host: Annotated[str, typer.Option(help="Address that the gateway listens on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Its port; 0 takes a free one.")] = 18011,
    workers: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 1,
    only: Annotated[Only | None, typer.Option(help="Just the three servers, no services.")] = None,
    debug: options.Debug = False,  # noqa: ARG001 - taken by its callback
) -> None:
    """Run the embedded servers and all services, until Ctrl-C.

    Prints one line, `ready URL`, on standard output when every part answers.
    """
    from frameloom.client.embedded import local

    module: Any = local("up")
    chosen = module.UpOptions(
        data=options.folder_of_data(data),
        host=host,
        port=port,
        workers=workers,
        only_servers=only is Only.SERVERS,
    )
    raise typer.Exit(module.run_up(chosen))
