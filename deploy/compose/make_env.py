"""Writes the .env of docker-compose.yml: env.example with fresh random secrets. Standard library only."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from pathlib import Path

EXAMPLE = Path(__file__).with_name("env.example")
DEFAULT = Path(__file__).parents[2] / ".env"


def fill(example: str) -> str:
    """Gives every empty variable of the example a value.

    Digits, letters, ``_`` and ``-`` only, so that none needs quoting in a URI, a shell or a YAML file.
    """
    password = secrets.token_hex(24)
    values = {
        "FRAMELOOM_S3_ACCESS_KEY": f"frameloom-{secrets.token_hex(4)}",
        "FRAMELOOM_S3_SECRET_KEY": secrets.token_hex(24),
        "FRAMELOOM_AUTH_SECRET": secrets.token_hex(32),
        "FRAMELOOM_AUTH_INITIAL_KEY": f"va_{secrets.token_urlsafe(32)}",
        "FRAMELOOM_MONGO_PASSWORD": password,
        "FRAMELOOM_MONGO_URI": f"mongodb://frameloom:{password}@mongo:27017/?replicaSet=rs0&authSource=admin",
    }
    lines = []
    for line in example.splitlines():
        name, equals, value = line.partition("=")
        empty = bool(equals) and not value and not name.startswith("#")
        lines.append(f"{name}={values[name]}" if empty else line)
    return "\n".join(lines) + "\n"


def main() -> int:
    """Runs the command; an existing file is never touched, because its secrets are in use."""
    parser = argparse.ArgumentParser(description="Write the .env of docker-compose.yml with fresh secrets.")
    parser.add_argument("path", nargs="?", type=Path, default=DEFAULT, help="default: .env beside the file")
    path: Path = parser.parse_args().path
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        sys.stderr.write(
            f"{path} exists already, and the servers may use its secrets: nothing was changed.\n"
        )
        return 1
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(fill(EXAMPLE.read_text(encoding="utf-8")))
    sys.stdout.write(
        f"Wrote {path} (mode 600). Keep it out of version control.\n"
        "FRAMELOOM_AUTH_INITIAL_KEY in it is the first API key, which allows everything.\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
