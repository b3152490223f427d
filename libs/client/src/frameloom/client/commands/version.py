"""``frameloom version``: what is installed here."""
# ruff: noqa: PLC0415 - imports at need keep `--help` quick

from __future__ import annotations

from frameloom.client import options
from frameloom.client.mode import MODE


def version(
    as_json: options.AsJson = False,  # noqa: ARG001 - taken by its callback
    debug: options.Debug = False,  # noqa: ARG001 - taken by its callback
) -> None:
    """Show what is installed here."""
    import platform

    from frameloom.client import __version__
    from frameloom.client.checks.installed import frameloom_parts
    from frameloom.client.render import output

    parts = frameloom_parts()
    if MODE.json:
        document = {"version": __version__, "python": platform.python_version(), "packages": parts}
        output.emit_json(document, pretty=True)
        return
    output.result(f"frameloom {__version__} (Python {platform.python_version()})")
    for name, number in parts.items():
        output.say(f"  {name} {number}")
