"""``videoannotator server``, ``worker`` and ``process``: what runs on this machine."""
# ruff: noqa: PLC0415 - imports at need keep `--help` quick

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Annotated, Any

import typer

from frameloom.client.compat.words import echo, stop
from frameloom.client.errors import ClientError, MissingCapabilityError

_OPEN = {"FRAMELOOM_AUTH_REQUIRED": "false", "FRAMELOOM_GATEWAY_CORS_ORIGINS": "*"}
"""What ``--dev`` means."""


def server(
    host: Annotated[str, typer.Option(help="Host to bind the server to")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to bind the server to")] = 18011,
    reload: Annotated[bool, typer.Option(help="Enable auto-reload for development")] = False,
    workers: Annotated[int, typer.Option(help="Number of worker processes")] = 1,
    dev: Annotated[
        bool,
        typer.Option("--dev", help="Enable development mode: allows all CORS origins (*), disables auth"),
    ] = False,
) -> None:
    """Start the API server, with its workers: Frameloom's embedded stack."""
    from frameloom.client import options
    from frameloom.client.embedded import local

    echo(f"[START] Starting VideoAnnotator API server on http://{host}:{port}")
    echo(f"[INFO] API documentation available at http://{host}:{port}/docs")
    if reload:
        echo("[INFO] --reload has no effect here")
    if dev:
        echo()
        echo("[DEV MODE] Development mode enabled:")
        echo("  - CORS: All origins allowed (*)")
        echo("  - Authentication: Disabled")
        echo("  - [WARNING] Do not use in production!")
        echo()
    try:
        up: Any = local("up")
    except MissingCapabilityError as error:
        stop(f"[ERROR] Failed to start server: {error.message}", f"[INFO] {error.hint}")
    chosen = up.UpOptions(
        data=options.folder_of_data(None),
        host=host,
        port=port,
        workers=workers,
        environment=_OPEN if dev else {},
    )
    raise typer.Exit(up.run_up(chosen))


def worker(
    poll_interval: Annotated[int, typer.Option(help="Not used: workers are woken")] = 5,  # noqa: ARG001
    max_concurrent: Annotated[int, typer.Option(help="Maximum concurrent jobs")] = 2,
) -> None:
    """Start a worker beside the others, with the servers that the environment names."""
    command = shutil.which("frameloom-worker")
    if command is None:
        stop(
            "[ERROR] Worker failed: frameloom-worker is not installed here",
            "[INFO] `videoannotator server` brings its workers with it",
        )
    echo("[START] Starting VideoAnnotator background job processor")
    echo(f"[CONFIG] Max concurrent: {max_concurrent}")
    echo("[INFO] Press Ctrl+C to stop gracefully")
    os.execv(command, [command, "--slots", str(max_concurrent)])  # noqa: S606 - no shell is meant


def process(
    video: Annotated[Path, typer.Argument(help="Path to video file to process")],
    output: Annotated[Path | None, typer.Option(help="Output directory for results")] = None,
    pipelines: Annotated[str | None, typer.Option(help="Comma-separated list of pipelines to run")] = None,
    config: Annotated[Path | None, typer.Option(help="Path to configuration file")] = None,
) -> None:
    """Process a single video file on this machine."""
    from frameloom.client.commands.annotate import annotate

    echo(f"[PROCESS] Processing video: {video}")
    if not video.exists():
        stop(f"[ERROR] Video file not found: {video}")
    try:
        annotate(
            [video],
            pipelines=[pipelines] if pipelines else None,
            out=output or Path(),
            config=str(config) if config else None,
            server=os.environ.get("FRAMELOOM_SERVER") or None,
        )
    except ClientError as error:
        stop(f"[ERROR] {error.message}", *([f"[INFO] {error.hint}"] if error.hint else []))
