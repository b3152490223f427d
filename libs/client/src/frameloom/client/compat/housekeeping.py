"""``videoannotator`` about keys, storage, the database and itself."""
# ruff: noqa: PLC0415 - imports at need keep `--help` quick

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from frameloom.client.compat.words import (
    LOCAL,
    VERSION,
    Server,
    connected,
    document,
    echo,
    explained,
    stop,
)

if TYPE_CHECKING:
    from frameloom.client.models import Job, NewApiKey

_LINE = "=" * 80


def info(server: Server = LOCAL) -> None:
    """Show the server's version, database and jobs."""
    echo(f"VideoAnnotator v{VERSION}")
    echo(f"API Version: {VERSION}")
    echo()
    with connected(server) as client, explained("Failed to get database info"):
        found = client.database()
    echo("[OK] Database Status: Healthy")
    echo(f"Backend: {found.get('backend_type', 'unknown')}")
    statistics = found.get("statistics")
    if isinstance(statistics, dict):
        echo()
        echo("Job Statistics:")
        for name, count in statistics.items():
            words = name.removesuffix("_jobs").replace("_", " ")
            echo(f"  {words.capitalize() if words != 'total' else 'Total jobs'}: {count}")


def version() -> None:
    """Show version information."""
    from frameloom.client import __version__

    echo(f"VideoAnnotator v{VERSION}")
    echo(f"API Version: {VERSION}")
    echo(f"This is Frameloom {__version__}, which follows that release")


def backup(output_path: Annotated[Path, typer.Argument(help="Path where to save backup file")]) -> None:
    """Tell how the data are backed up: they lie in no single file."""
    del output_path
    stop(
        "[ERROR] There is no database file to be copied",
        "[INFO] Of an embedded stack, stop it and copy its data folder; else back up MongoDB and the bucket",
    )


def storage_cleanup(
    retention_days: Annotated[
        int | None, typer.Option("--retention-days", min=0, help="Days to retain jobs")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Actually delete (default is a preview)")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Output results as JSON")] = False,
    server: Server = LOCAL,
) -> None:
    """Delete jobs that ended longer ago than the retention; a preview unless --force is given."""
    days = retention_days if retention_days is not None else _days_from_environment()
    if days is None:
        if as_json:
            document({"enabled": False, "error": "Cleanup disabled (STORAGE_RETENTION_DAYS not set)"})
        else:
            echo("[WARNING] Cleanup is disabled")
            echo("Set STORAGE_RETENTION_DAYS environment variable or use --retention-days")
        raise typer.Exit(2)
    if not as_json:
        echo(f"[START] Storage cleanup ({'FORCE' if force else 'DRY-RUN'}, retention={days} days)")
    before = datetime.now(UTC) - timedelta(days=days)
    with connected(server) as client, explained("Cleanup failed"):
        old = [job for job in client.jobs() if _ended_before(job, before)]
        for job in old if force else ():
            client.delete(job.id)
    freed = sum(job.video_size_bytes or 0 for job in old)
    if as_json:
        counts = {"jobs_found": len(old), "jobs_deleted": len(old) if force else 0, "bytes_freed": freed}
        document({**counts, "dry_run": not force, "enabled": True})
        return
    echo(f"[INFO] Found {len(old)} eligible jobs")
    mark, verb = ("[OK]", ("Deleted", "Freed")) if force else ("[INFO]", ("Would delete", "Would free"))
    echo(f"{mark} {verb[0]} {len(old)} jobs")
    echo(f"{mark} {verb[1]} {freed / 1024 / 1024:.2f} MB of media")
    if old and not force:
        echo()
        echo("[INFO] Use --force to actually delete files")


def _days_from_environment() -> int | None:
    text = os.environ.get("STORAGE_RETENTION_DAYS", "")
    return int(text) if text.isdecimal() else None


def _ended_before(job: Job, moment: datetime) -> bool:
    if not job.ended or job.completed_at is None:
        return False
    aware = job.completed_at if job.completed_at.tzinfo else job.completed_at.replace(tzinfo=UTC)
    return aware < moment


def validate_emotion(
    file: Annotated[Path, typer.Argument(help="Path to .emotion.json file")],
    quiet: Annotated[bool, typer.Option(help="Suppress OK output; only print errors")] = False,
) -> None:
    """Validate an emotion output JSON file against the spec."""
    from frameloom.client.emotion import problems_of

    if not file.exists():
        stop(f"[ERROR] File not found: {file}")
    with explained("Emotion file can not be read"):
        problems = problems_of(file)
    if problems:
        echo(f"[ERROR] Emotion file invalid: {file}")
        for problem in problems:
            echo(f" - {problem}")
        raise typer.Exit(1)
    if not quiet:
        echo(f"[OK] Emotion file valid: {file}")


def generate_token(
    user: Annotated[str | None, typer.Option("--user", help="User email address")] = None,
    username: Annotated[
        str | None, typer.Option("--username", help="Username (defaults to email prefix)")
    ] = None,
    key_name: Annotated[str | None, typer.Option("--key-name", help="Descriptive name for the key")] = None,
    expires_days: Annotated[
        int, typer.Option("--expires-days", min=0, help="Days until expiration (0 for never)")
    ] = 365,
    output_file: Annotated[
        Path | None, typer.Option("--output", "-o", help="Save token to JSON file")
    ] = None,
    server: Server = LOCAL,
) -> None:
    """Make an API key on the server. Needs a key of its administrator."""
    email = user or typer.prompt("Enter user email")
    name = username or typer.prompt("Enter username", default=email.partition("@")[0])
    what = key_name or typer.prompt("Enter key name/description", default=f"{name}'s API key")
    with connected(server) as client, explained("Failed to generate token"):
        made = client.keys.create(f"{what} ({email})"[:100], expires_in_days=expires_days)
    _show(made, name, email, what)
    if output_file is not None:
        _save(output_file, made, name, email, what)
        echo(f"[OK] Token saved to: {output_file}")
        echo()


def _show(made: NewApiKey, name: str, email: str, what: str) -> None:
    created = made.created_at.strftime("%Y-%m-%d %H:%M:%S") if made.created_at else "Unknown"
    expires = made.expires_at.strftime("%Y-%m-%d %H:%M:%S") if made.expires_at else "Never"
    echo()
    echo(_LINE)
    echo("[SUCCESS] API Key Created Successfully!")
    echo(_LINE)
    for fact, value in (
        ("Token", made.key),
        ("User", f"{name} ({email})"),
        ("Key Name", what),
        ("Key ID", made.id),
        ("Created", created),
        ("Expires", expires),
    ):
        echo(f"{fact + ':':<12}{value}")
    echo()
    echo("[IMPORTANT] Save this token securely - it cannot be recovered!")
    echo(_LINE)
    echo()


def _save(file: Path, made: NewApiKey, name: str, email: str, what: str) -> None:
    shown = made.model_dump(mode="json")
    facts: dict[str, object] = {
        "token": made.key,
        "username": name,
        "email": email,
        "key_name": what,
        "key_id": made.id,
    }
    facts |= {field: shown.get(field) for field in ("created_at", "expires_at")}
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
            json.dump(facts, out, indent=2)
    except OSError as error:
        stop(f"[ERROR] {file} can not be written: {error.strerror or error}")


def setup_db() -> None:
    """Do nothing: the services make what they need when they start."""
    echo("[OK] Nothing to set up: the services create indexes, topics and the bucket when they start")
    echo("[INFO] The first key is printed once at the first start; make more with generate-token")
