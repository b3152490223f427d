"""What is left of the name that a client gave its file."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote

_NAME_CHARACTERS = 255
_FALLBACK_NAME = "video"
_SEPARATOR = re.compile(r"[\\/]")


def clean_filename(given: str | None) -> str:
    """The last component of a client's file name, printable and of bounded length: metadata, never a path."""
    name = _SEPARATOR.split(_decoded(given or ""))[-1]
    name = "".join(c for c in name if unicodedata.category(c)[0] != "C").strip()
    if name.strip(". ") == "":
        return _FALLBACK_NAME
    if len(name) <= _NAME_CHARACTERS:
        return name
    stem, dot, extension = name.rpartition(".")
    if not dot or len(extension) > 16:
        return name[:_NAME_CHARACTERS]
    return stem[: _NAME_CHARACTERS - len(extension) - 1] + dot + extension


def _decoded(name: str) -> str:
    """Browsers percent-encode quotes in the name, and some clients all that is not a letter."""
    try:
        return unquote(name, errors="strict")
    except UnicodeDecodeError:
        return name
