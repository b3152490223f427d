"""``frameloom viewer``: opens the server's viewer in a browser, with a key of the browser's own."""
# ruff: noqa: PLC0415 - imports at need keep `--help` quick

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from frameloom.client import options
from frameloom.client.mode import MODE

if TYPE_CHECKING:
    from frameloom.client.api import AsyncClient
    from frameloom.client.models import ViewerLink


def viewer(
    show: Annotated[bool, typer.Option("--print", help="Print the link, and open nothing.")] = False,
    server: options.Server = None,
    key_file: options.KeyFile = None,
    as_json: options.AsJson = False,  # noqa: ARG001 - taken by its callback
    debug: options.Debug = False,  # noqa: ARG001 - taken by its callback
) -> None:
    """Connect a browser to the server's viewer, by a link that works once and for minutes."""
    from frameloom.client.render import output
    from frameloom.client.running import run

    link = run(_link(options.connected(server, key_file)))
    if MODE.json:
        output.emit_json(link.model_dump(mode="json"), pretty=True)
        return
    output.result(link.url)
    from frameloom.client.render.tables import moment

    told = f"it connects one browser, once, until {moment(link.expires_at)}"
    if not show and sys.stdout.isatty() and _opened(link.url):
        output.say(f"opened in your browser; {told}")
    else:
        output.say(told)


def _opened(url: str) -> bool:
    import webbrowser

    try:
        return webbrowser.open(url)
    except webbrowser.Error:
        return False


async def _link(connection: AsyncClient) -> ViewerLink:
    async with connection as client:
        return await client.viewer_link()
