"""A job's ZIP: its video and all its files, checked before it gets its name, and unpacked with care."""

from __future__ import annotations

import asyncio
import shutil
import stat
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from frameloom.client.errors import IntegrityError, UsageError
from frameloom.client.fetching import OnProgress, Streams, Wanted, fetch
from frameloom.client.names import place, prepare_folder, safe_name
from frameloom.client.transport import API, segment

_T = TypeVar("_T")
_PIECE_BYTES = 1 << 20
_HINT = "Try again; if it stays so, the file is damaged on the server"


@dataclass(frozen=True, slots=True)
class Archive:
    """A job's ZIP that lies on this machine now.

    Attributes:
        path: Where it lies.
        size_bytes: Its length.
        sha256: Its digest, computed here.
        members: The paths inside.
    """

    path: Path
    size_bytes: int
    sha256: str
    members: tuple[str, ...]

    def document(self) -> dict[str, object]:
        """As the ``--json`` output shows it."""
        return {
            "path": str(self.path),
            "size_bytes": self.size_bytes,
            "sha256": self.sha256,
            "members": list(self.members),
        }


async def fetch_archive(
    connection: Streams, job_id: str, target: Path, *, on_progress: OnProgress | None = None
) -> Archive:
    """The ZIP to ``target``; each of its members has been read once and is whole.

    Args:
        connection: Where from.
        job_id: Whose.
        target: The file; of a folder that exists, ``job_<id>_artifacts.zip`` in it.
        on_progress: Called after each piece.

    Raises:
        IntegrityError: What came is no whole ZIP.
        UsageError: It can not be written.
    """
    target = place(target, f"job_{job_id}_artifacts.zip", fallback="artifacts.zip")
    members: list[str] = []
    wanted = Wanted(path=f"{API}/jobs/{segment(job_id)}/artifacts", name=target.name)
    fetched = await fetch(
        connection, wanted, target, on_progress=on_progress, check=lambda part: members.extend(_whole(part))
    )
    return Archive(target, fetched.size, fetched.sha256, tuple(members))


async def unpack(archive: Path, folder: Path) -> tuple[Path, ...]:
    """The files of a ZIP in a folder, which is made if need be; nothing is written outside of it.

    Raises:
        IntegrityError: It is no whole ZIP, or a member is larger than it says.
        UsageError: The folder can not be written.
    """
    prepare_folder(folder)
    try:
        return await asyncio.to_thread(_explained, lambda: _unpack(archive, folder))
    except OSError as error:
        raise UsageError(f"{folder} can not be written: {error.strerror or error}") from error


def _whole(file: Path) -> list[str]:
    def read() -> list[str]:
        with zipfile.ZipFile(file) as archive:
            broken = archive.testzip()
            if broken is not None:
                raise IntegrityError(f"{broken} in the ZIP arrived damaged", hint=_HINT)
            return [entry.filename for entry in archive.infolist() if not entry.is_dir()]

    return _explained(read)


def _explained(work: Callable[[], _T]) -> _T:
    try:
        return work()
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError) as error:
        raise IntegrityError(f"What came is no whole ZIP: {error}", hint=_HINT) from error


def _unpack(archive: Path, folder: Path) -> tuple[Path, ...]:
    done = []
    taken: dict[Path, set[str]] = {}
    with zipfile.ZipFile(archive) as opened:
        for entry in opened.infolist():
            if entry.is_dir() or stat.S_ISLNK(entry.external_attr >> 16):
                continue
            below = folder
            *above, last = [part for part in entry.filename.replace("\\", "/").split("/") if part]
            for part in above:
                below /= safe_name(part, fallback="folder")
            below.mkdir(parents=True, exist_ok=True)
            target = below / safe_name(last, fallback="file", taken=taken.setdefault(below, set()))
            with opened.open(entry) as source, target.open("wb") as out:
                shutil.copyfileobj(source, out, _PIECE_BYTES)
            done.append(target)
    return tuple(done)
