"""Environment variables as lines for a shell."""

from __future__ import annotations

import shlex
from collections.abc import Mapping


def export_lines(environment: Mapping[str, str]) -> str:
    """One ``export NAME=value`` line per variable, quoted for a POSIX shell."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in environment.items())
