"""Where the key comes from. Never a command line: all users of a machine can read those of the others."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from frameloom.client.errors import UsageError

DEFAULT_SERVER = "http://127.0.0.1:18011"
"""Where ``frameloom up`` listens."""
KEY_VARIABLE = "FRAMELOOM_API_KEY"
SERVER_VARIABLE = "FRAMELOOM_SERVER"
EMBEDDED_KEY_FILE = "api-key"
"""In the data folder of the embedded stack, which writes it at its first start."""
EMBEDDED_ADDRESS_FILE = "address"
"""Beside it: where that stack's gateway listens, or listened last."""
_LONGEST_KEY = 4096
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Key:
    """A key, and where it was found, which an error about it tells.

    Attributes:
        value: The key itself; never shown.
        origin: The variable or the file.
    """

    value: str = field(repr=False)
    origin: str = "the one that was given"

    @classmethod
    def of(cls, key: str | Key | None) -> Key | None:
        """The same for a key as plain text.

        Raises:
            UsageError: It has characters that no key has, such as the end of a line.
        """
        found = cls(key.strip()) if isinstance(key, str) else key
        if found is None or not found.value:
            return None
        if len(found.value) > _LONGEST_KEY or not found.value.isascii() or not found.value.isprintable():
            raise UsageError(
                f"The key from {found.origin} is no key: it must be one line of plain characters"
            )
        if " " in found.value:
            raise UsageError(f"The key from {found.origin} is no key: there is a space in it")
        return found


def find_key(
    server: str,
    *,
    key_file: Path | None = None,
    data: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Key | None:
    """The key for a server: from the file that was named, from the environment, or the embedded stack's own.

    Args:
        server: Its address. The embedded stack's key goes to that stack only.
        key_file: A file with nothing but a key.
        data: Data folder of the embedded stack, if it is not the usual one.
        environment: The process's own unless given.

    Raises:
        UsageError: The named file can not be read, or what is found is no key.
    """
    variables = os.environ if environment is None else environment
    if key_file is not None:
        return Key.of(Key(_read(key_file), str(key_file)))
    if value := variables.get(KEY_VARIABLE, "").strip():
        return Key.of(Key(value, KEY_VARIABLE))
    folder = data or data_folder(variables)
    own = folder / EMBEDDED_KEY_FILE
    if own.is_file() and os.access(own, os.R_OK) and _is_embedded(server, folder):
        return Key.of(Key(_read(own), str(own)))
    return None


def _is_embedded(server: str, folder: Path) -> bool:
    """Whether the address is where the stack of this data folder listens, under any name of this machine."""
    try:
        recorded = _read(folder / EMBEDDED_ADDRESS_FILE)
    except UsageError:
        return False
    return (is_loopback(server) or _host(server) == _host(recorded)) and _port(server) == _port(recorded)


def _host(address: str) -> str | None:
    return urlsplit(address).hostname


def _port(address: str) -> int | None:
    parts = urlsplit(address)
    return parts.port or _PORTS.get(parts.scheme)


def is_loopback(server: str) -> bool:
    """Whether the address is this machine's own."""
    host = urlsplit(server).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def data_folder(environment: Mapping[str, str] | None = None) -> Path:
    """Where the embedded stack keeps its data: ``FRAMELOOM_DATA``, else the user's by the system's custom."""
    variables = os.environ if environment is None else environment
    if named := variables.get("FRAMELOOM_DATA"):
        return Path(named).expanduser()
    home = Path.home()
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "frameloom"
    base = variables.get("XDG_DATA_HOME", "")
    return (Path(base) if Path(base).is_absolute() else home / ".local" / "share") / "frameloom"


def _read(file: Path) -> str:
    try:
        with file.open(encoding="utf-8") as opened:
            return opened.read(_LONGEST_KEY + 1).strip()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"The key file {file} can not be read: {reason}") from error
