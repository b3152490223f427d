"""``frameloom keys``: who may use the server."""
# ruff: noqa: PLC0415 - imports at need keep `--help` quick

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from frameloom.client import options
from frameloom.client.mode import MODE

if TYPE_CHECKING:
    from frameloom.client.api import AsyncClient
    from frameloom.client.models import NewApiKey

_T = TypeVar("_T")
_ENDED = frozenset({"revoked", "expired", "replaced"})
KeyId = Annotated[str, typer.Argument(metavar="KEY", help="The key's id, as `frameloom keys list` tells it.")]

keys = typer.Typer(no_args_is_help=True, help="Make, list, revoke and rotate API keys; needs an admin key.")


@keys.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="For people: who or what uses it.")],
    scopes: Annotated[
        list[str] | None,
        typer.Option(
            "--scopes",
            "-s",
            metavar="A,B",
            help="jobs:read, jobs:write, results:read, admin; all but admin if none.",
        ),
    ] = None,
    tenant: Annotated[str | None, typer.Option(help="Whose jobs it sees; your own if not given.")] = None,
    expires_days: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Days until it ends; 0: never. [365]")
    ] = None,
    server: options.Server = None,
    key_file: options.KeyFile = None,
    as_json: options.AsJson = False,  # noqa: ARG001 - taken by its callback
    debug: options.Debug = False,  # noqa: ARG001 - taken by its callback
) -> None:
    """Make a key. It is printed on standard output, this once."""
    from frameloom.client.running import run

    def work(client: AsyncClient) -> Awaitable[NewApiKey]:
        return client.keys.create(
            name, scopes=options.names(scopes) or None, expires_in_days=expires_days, tenant=tenant
        )

    _show_new(run(_connected(options.connected(server, key_file), work)))


@keys.command("list")
def list_keys(
    every: Annotated[bool, typer.Option("--all", help="Those that have ended, too.")] = False,
    server: options.Server = None,
    key_file: options.KeyFile = None,
    as_json: options.AsJson = False,  # noqa: ARG001 - taken by its callback
    debug: options.Debug = False,  # noqa: ARG001 - taken by its callback
) -> None:
    """List the keys."""
    from frameloom.client.render import output
    from frameloom.client.running import run

    found = run(_connected(options.connected(server, key_file), lambda client: client.keys.list()))
    wanted = [key for key in found if every or key.status not in _ENDED]
    if MODE.json:
        output.emit_json({"keys": [key.model_dump(mode="json") for key in wanted]}, pretty=True)
        return
    from frameloom.client.render.tables import keys_table

    if wanted:
        output.show(keys_table(wanted, width=output.console(sys.stdout).width))
    hidden = len(found) - len(wanted)
    told = f"; {hidden} more {'has' if hidden == 1 else 'have'} ended (--all)" if hidden else ""
    output.say(f"{len(wanted)} key{'s' * (len(wanted) != 1)}{told}")


@keys.command()
def revoke(
    key: KeyId,
    server: options.Server = None,
    key_file: options.KeyFile = None,
    as_json: options.AsJson = False,  # noqa: ARG001 - taken by its callback
    debug: options.Debug = False,  # noqa: ARG001 - taken by its callback
) -> None:
    """End a key at once."""
    from frameloom.client.render import output
    from frameloom.client.running import run

    run(_connected(options.connected(server, key_file), lambda client: client.keys.revoke(key)))
    if MODE.json:
        output.emit_json({"id": key, "status": "revoked"}, pretty=True)
    else:
        output.result(f"{key} revoked")


@keys.command()
def rotate(
    key: KeyId,
    overlap: Annotated[
        int | None,
        typer.Option(min=0, metavar="SECONDS", help="How long the old key works on. [86400, a day]"),
    ] = None,
    server: options.Server = None,
    key_file: options.KeyFile = None,
    as_json: options.AsJson = False,  # noqa: ARG001 - taken by its callback
    debug: options.Debug = False,  # noqa: ARG001 - taken by its callback
) -> None:
    """Make a key in the place of another. It is printed on standard output, this once."""
    from frameloom.client.running import run

    def work(client: AsyncClient) -> Awaitable[NewApiKey]:
        return client.keys.rotate(key, overlap_seconds=overlap)

    _show_new(run(_connected(options.connected(server, key_file), work)))


async def _connected(connection: AsyncClient, work: Callable[[AsyncClient], Awaitable[_T]]) -> _T:
    async with connection as client:
        return await work(client)


def _show_new(made: NewApiKey) -> None:
    """The key alone on standard output, so that a script can take it; the rest is for people."""
    from frameloom.client.render import output

    if MODE.json:
        output.emit_json(made.model_dump(mode="json"), pretty=True)
        return
    until = f"until {made.expires_at:%Y-%m-%d}" if made.expires_at else "without an end"
    output.say(f"key {made.id} of tenant {made.tenant}, {', '.join(made.scopes)}, {until}")
    output.say("keep it: nobody can see it later")
    output.result(made.key)
