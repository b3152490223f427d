"""Names and folders for what is downloaded: no server decides where on this machine it is written."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

from frameloom.client.errors import UsageError

_LONGEST_NAME = 200
_DEVICES = frozenset({"con", "prn", "aux", "nul"} | {f"{d}{n}" for d in ("com", "lpt") for n in range(1, 10)})


def prepare_folder(folder: Path) -> None:
    """Makes the folder, and makes sure that it can be written.

    Raises:
        UsageError: It can not.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"The folder {folder} can not be made: {error.strerror or error}") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"The folder {folder} can not be written", hint="Name another with --out")


def place(target: Path, name: str, *, fallback: str) -> Path:
    """Where a file goes: to ``target``, or by a harmless form of its own name into it, if that is a folder.

    Raises:
        UsageError: The folder can not be made or written.
    """
    found = target / safe_name(name, fallback=fallback) if target.is_dir() else target
    prepare_folder(found.parent)
    return found


def safe_name(name: str, *, fallback: str, taken: set[str] | None = None) -> str:
    """A file name from a server, made harmless: one component, visible, printable, not too long, unused.

    Args:
        name: What the server says.
        fallback: Used where nothing is left of it; made harmless, too.
        taken: Names already given, case-folded; the new one is added.
    """
    clean = _harmless(name) or _harmless(fallback) or "result.bin"
    stem, dot, suffix = clean.rpartition(".")
    stem, suffix = (stem, dot + suffix) if stem else (clean, "")
    used = taken if taken is not None else set()
    count = 1
    while clean.casefold() in used:
        count += 1
        clean = f"{stem}-{count}{suffix}"
    used.add(clean.casefold())
    return clean


def _harmless(name: str) -> str:
    last = name.replace("\\", "/").rpartition("/")[2]
    # Control and format characters go: among them those that turn the reading direction round.
    shown = "".join(c if unicodedata.category(c)[0] != "C" and c not in '<>:"|?*' else "_" for c in last)
    bare = shown.strip(" .")
    if bare.partition(".")[0].casefold() in _DEVICES:
        bare = f"_{bare}"
    if len(bare.encode()) <= _LONGEST_NAME:
        return bare
    stem, dot, suffix = bare.rpartition(".")
    tail = (dot + suffix).encode()[-40:] if stem else b""
    return ((stem or bare).encode()[: _LONGEST_NAME - len(tail)] + tail).decode("utf-8", "ignore")
