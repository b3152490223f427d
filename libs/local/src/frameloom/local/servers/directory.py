"""The data directory of an embedded stack: its lock, its addresses, its credentials and keys, its logs."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frameloom.local.errors import DataDirectoryInUseError, EmbeddedStackError

_LOG_LIMIT_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Credentials:
    """The keys of the embedded object store."""

    access_key: str
    secret_key: str


class DataDirectory:
    """A folder that one embedded stack owns while it runs.

    Args:
        root: The folder; made, readable by its owner only, when it does not exist.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().absolute()
        self._lock: int | None = None

    @property
    def logs(self) -> Path:
        """Where every server's and service's output is kept."""
        return self.root / "logs"

    def acquire(self) -> None:
        """Takes the directory for this process.

        Raises:
            DataDirectoryInUseError: Another process holds it; the message names it.
            EmbeddedStackError: The folder can not be made.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.logs.mkdir(exist_ok=True)
            descriptor = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise EmbeddedStackError(
                f"The data directory {self.root} can not be used: {error.strerror}",
                hint="Choose another folder with --data.",
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise DataDirectoryInUseError(
                f"The data directory {self.root} is in use by process {owner}",
                hint="Stop that process, or choose another folder with --data.",
                detail={"pid": int(owner) if owner.isdigit() else None},
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._lock = descriptor

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._lock is not None

    def release(self) -> None:
        """Gives the directory back. The lock file stays: removing it would race with the next owner."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def folder(self, name: str) -> Path:
        """A server's own folder."""
        path = self.root / name
        path.mkdir(exist_ok=True, mode=0o700)
        return path

    def log_path(self, name: str) -> Path:
        """A log file, put aside first (one generation is kept) when it has grown large."""
        path = self.logs / f"{name}.log"
        if path.exists() and path.stat().st_size > _LOG_LIMIT_BYTES:
            path.replace(path.with_suffix(".log.1"))
        return path

    def credentials(self) -> Credentials:
        """The keys of the object store, drawn at random once per directory."""
        stored = self._read("credentials.json")
        if isinstance(stored.get("access_key"), str) and isinstance(stored.get("secret_key"), str):
            return Credentials(stored["access_key"], stored["secret_key"])
        drawn = Credentials(f"FL{secrets.token_hex(9).upper()}", secrets.token_urlsafe(30))
        self._write("credentials.json", {"access_key": drawn.access_key, "secret_key": drawn.secret_key})
        return drawn

    def secret(self, name: str, make: Callable[[], str]) -> tuple[str, bool]:
        """A secret kept as a file of its own, which its owner alone may read.

        Args:
            name: Of the file.
            make: Gives the secret where there is no file yet.

        Returns:
            The secret, and whether it was made just now.

        Raises:
            EmbeddedStackError: The file can not be read.
        """
        path = self.root / name
        try:
            if kept := path.read_text(encoding="utf-8").strip():
                return kept, False
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            raise EmbeddedStackError(
                f"{path} can not be read: {getattr(error, 'strerror', None) or error}",
                hint="Make it readable, or remove it: then a new one is made.",
            ) from error
        made = make()
        self.keep(name, made)
        return made, True

    def keep(self, name: str, line: str) -> None:
        """Writes such a file, or another of one line."""
        self._put(name, f"{line}\n")

    def load_ports(self) -> dict[str, int]:
        """The ports of the last run."""
        return {name: port for name, port in self._read("ports.json").items() if isinstance(port, int)}

    def save_ports(self, ports: dict[str, int]) -> None:
        """Remembers the ports, so that the next run has the same addresses."""
        self._write("ports.json", ports)

    def _read(self, name: str) -> dict[str, Any]:
        try:
            value = json.loads((self.root / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return value if isinstance(value, dict) else {}

    def _write(self, name: str, value: object) -> None:
        self._put(name, json.dumps(value))

    def _put(self, name: str, text: str) -> None:
        path = self.root / f".{name}.new"
        path.unlink(missing_ok=True)
        with os.fdopen(
            os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
        ) as file:
            file.write(text)
        path.replace(self.root / name)


def tail(path: Path, lines: int = 12) -> str:
    """The last lines of a log, for the message of an error."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 16_384))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])
