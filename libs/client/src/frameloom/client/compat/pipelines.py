"""``videoannotator pipelines`` and ``config``: what the server can run, and with which settings."""
# ruff: noqa: PLC0415 - imports at need keep `--help` quick

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from frameloom.client.compat.words import LOCAL, Server, connected, document, echo, explained, stop
from frameloom.client.errors import UsageError

if TYPE_CHECKING:
    from frameloom.client.models import Pipeline, Validation


def pipelines(
    server: Server = LOCAL,
    detailed: Annotated[bool, typer.Option(help="Show extended pipeline information")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Output JSON for scripting")] = False,
    layout: Annotated[str | None, typer.Option("--format", help="Alternate output format (markdown)")] = None,
) -> None:
    """List available processing pipelines retrieved from the registry."""
    hint = "[INFO] Ensure server is running: videoannotator server --port 18011"
    with connected(server, hint) as client, explained("Failed to get pipelines"):
        found = client.pipelines()
    if as_json:
        document([one.model_dump(mode="json") for one in found])
    elif layout:
        _markdown(found, layout)
    else:
        echo(f"[OK] Pipelines: {len(found)} found")
        for one in found:
            echo(f"- {one.name}")
            if detailed:
                _details(one)


def _markdown(found: tuple[Pipeline, ...], layout: str) -> None:
    from frameloom.client.render.markdown import pipelines_markdown

    if layout.lower() not in {"markdown", "md"}:
        echo(f"[ERROR] Unsupported format: {layout}")
        raise typer.Exit(1)
    for line in pipelines_markdown(found):
        echo(line)
    echo()
    echo(f"Total pipelines: {len(found)}")


def _details(one: Pipeline) -> None:
    outputs = ", ".join(f"{out['format']}[{','.join(out.get('types', ()))}]" for out in one.outputs)
    echo(f"  Display: {one.display_name or one.name}")
    if one.pipeline_family:
        echo(f"  Family: {one.pipeline_family}  Variant: {one.variant or '-'}")
    for name, items in (
        ("Tasks", one.tasks),
        ("Modalities", one.modalities),
        ("Capabilities", one.capabilities),
        ("Backends", one.backends),
    ):
        if items:
            echo(f"  {name}: {', '.join(items)}")
    if one.stability:
        echo(f"  Stability: {one.stability}")
    echo(f"  Outputs: {outputs}")
    if one.settings:
        echo(f"  Config Keys: {', '.join(one.settings)}")
    echo()


def config(
    validate: Annotated[Path | None, typer.Option(help="Path to configuration file to validate")] = None,
    server: Server = LOCAL,
    show_default: Annotated[bool, typer.Option("--show-default", help="Show default configuration")] = False,
) -> None:
    """Validate and manage configuration."""
    if show_default:
        echo("[CONFIG] Getting default configuration...")
        with connected(server) as client, explained("Failed to get default config"):
            settings = client.system_config()
        echo("[OK] Default configuration:")
        document(settings)
    elif validate is not None:
        _validate(validate, server)
    else:
        echo("[CONFIG] Configuration management")
        echo()
        echo("Usage:")
        echo("  videoannotator config --validate path/to/config.yaml")
        echo("  videoannotator config --show-default")
        echo()
        echo("Configuration files can be in JSON or YAML format.")


def _validate(file: Path, server: str) -> None:
    """The syntax here; the rest by the server, if one answers."""
    from frameloom.client import options
    from frameloom.client.errors import UnreachableError
    from frameloom.client.sync import Client

    echo(f"[VALIDATE] Validating configuration file: {file}")
    if not file.exists():
        stop(f"[ERROR] Configuration file not found: {file}")
    try:
        settings = options.settings_file(file)
    except UsageError as error:
        stop(f"[ERROR] Invalid configuration file: {error.message}")
    echo("[OK] Configuration file is valid JSON/YAML")
    if not isinstance(settings, dict):
        stop("[ERROR] It has no settings by pipeline")
    try:
        with Client.from_environment(server) as client:
            known = {one.name for one in client.pipelines()}
            named: dict[str, Any] = {name: part for name, part in settings.items() if name in known}
            found = client.validate_config(named, pipelines=list(named)) if named else None
    except UnreachableError:
        echo(f"[INFO] No server answers at {server}: checked for its syntax only")
        return
    if found is None:
        echo("[INFO] It names no pipeline of the server: checked for its syntax only")
        return
    _verdict(found)


def _verdict(found: Validation) -> None:
    for one in found.warnings:
        echo(f"[WARNING] {one.pipeline or ''} {one.field}: {one.message}".replace("  ", " "))
    if not found.valid:
        stop(*(f"[ERROR] {one.pipeline or ''} {one.field}: {one.message}" for one in found.errors))
    echo("[OK] Configuration is valid for the pipelines of the server")
