"""Result files on their way to disk: resumed when the line breaks, checked, and never outside the folder."""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import httpx

from frameloom.client.api import AsyncClient
from frameloom.client.errors import IntegrityError, UnreachableError, UsageError
from frameloom.client.models import JobResults, ResultFile

_TRIES = 4
_LONGEST_NAME = 200
_DEVICES = frozenset({"con", "prn", "aux", "nul"} | {f"{d}{n}" for d in ("com", "lpt") for n in range(1, 10)})


@dataclass(frozen=True, slots=True)
class Downloaded:
    """A file that lies on this machine now.

    Attributes:
        pipeline: Whose result it is.
        path: Where it lies.
        size_bytes: Its length.
        sha256: Its digest, computed here.
        verified: The server gave a digest, and it is the same.
    """

    pipeline: str
    path: Path
    size_bytes: int
    sha256: str
    verified: bool

    def document(self) -> dict[str, object]:
        """As the ``--json`` output shows it."""
        return {
            "pipeline": self.pipeline,
            "path": str(self.path),
            "size_bytes": self.size_bytes,
            "sha256": self.sha256,
            "verified": self.verified,
        }


async def download_all(client: AsyncClient, results: JobResults, folder: Path) -> tuple[Downloaded, ...]:
    """Every file of a job into a folder, which is made if need be.

    Raises:
        IntegrityError: A file is not what the server says it is; nothing of it is left.
        UsageError: The folder can not be written.
    """
    prepare_folder(folder)
    taken: set[str] = set()
    done = []
    for name, result in results.pipeline_results.items():
        for file in result.downloads:
            target = folder / safe_name(file.filename, fallback=f"{name}.bin", taken=taken)
            done.append(await download(client, results.job_id, name, file, target))
    return tuple(done)


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


@dataclass(slots=True)
class _Partial:
    """What has arrived of a file."""

    out: BinaryIO
    size: int = 0
    etag: str | None = None
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    def restart(self) -> None:
        self.out.seek(0)
        self.out.truncate()
        self.size = 0
        self.digest = hashlib.sha256()

    def add(self, piece: bytes) -> None:
        self.out.write(piece)
        self.digest.update(piece)
        self.size += len(piece)


async def download(
    client: AsyncClient,
    job_id: str,
    pipeline: str,
    file: ResultFile,
    target: Path,
    *,
    on_bytes: Callable[[int], None] | None = None,
) -> Downloaded:
    """One file to ``target``, by a temporary neighbour: a file under the final name is always whole.

    Raises:
        IntegrityError: Size or sha256 are not those of the server's list.
        RefusedError: The server has no such file.
        UnreachableError: The line broke more often than is borne.
        UsageError: The disk does not take it.
    """
    part = target.with_name(f".frameloom-{secrets.token_hex(6)}.part")
    try:
        with part.open("xb") as out:
            partial = _Partial(out)
            await _fetch(client, client.file_path(job_id, pipeline), file, partial, on_bytes)
        _verify(file, partial)
        part.replace(target)
    except OSError as error:
        raise UsageError(f"{target} can not be written: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)
    return Downloaded(
        pipeline=pipeline,
        path=target,
        size_bytes=partial.size,
        sha256=partial.digest.hexdigest(),
        verified=file.sha256 is not None,
    )


async def _fetch(
    client: AsyncClient,
    path: str,
    file: ResultFile,
    partial: _Partial,
    on_bytes: Callable[[int], None] | None,
) -> None:
    for attempt in range(1, _TRIES + 1):
        headers = {"Accept": "*/*", "Accept-Encoding": "identity"}
        if partial.size and partial.etag:
            headers |= {"Range": f"bytes={partial.size}-", "If-Range": partial.etag}
        try:
            async with client.stream(path, params={"file": file.filename}, headers=headers) as response:
                _take_up(response, partial)
                async for piece in response.aiter_bytes():
                    partial.add(piece)
                    if on_bytes is not None:
                        on_bytes(partial.size)
                return
        except UnreachableError:
            if attempt == _TRIES:
                raise
            await asyncio.sleep(0.25 * 2**attempt)


def _take_up(response: httpx.Response, partial: _Partial) -> None:
    """Goes on where the file broke off, if that is what the server sends; else begins again."""
    start = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    if response.status_code != 206 or start != str(partial.size):
        partial.restart()
    tag = response.headers.get("ETag")
    # A weak tag does not promise the same bytes, so it can not continue a download.
    partial.etag = tag if tag and not tag.startswith("W/") else None


def _verify(file: ResultFile, partial: _Partial) -> None:
    hint = "Try again; if it stays so, the file is damaged on the server"
    if file.size_bytes is not None and partial.size != file.size_bytes:
        raise IntegrityError(
            f"{file.filename} has {partial.size} bytes, the server announced {file.size_bytes}", hint=hint
        )
    if file.sha256 is not None and partial.digest.hexdigest() != file.sha256.lower():
        raise IntegrityError(f"{file.filename} arrived damaged: its sha256 differs", hint=hint)
