"""Everything of a job in one archive: its media, its result files, and what tells of them.

The archive is never made anywhere: its layout is computed, and the files pass through as they come from the
object store.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog

from frameloom.common.documents import Artefact, JobDocument, MediaRef
from frameloom.common.errors import ObjectNotFoundError, StorageUnavailableError
from frameloom.common.ports.objects import ObjectStore
from frameloom.gateway.errors import NoArtifactsError
from frameloom.gateway.services.caller import Caller
from frameloom.gateway.services.jobs import JobService
from frameloom.gateway.services.zip64 import Kind, Layout, Member

_MANIFEST = "manifest.json"
_PROVENANCE = "provenance.jsonl"
_EXTENSIONS = {
    "video/mp4": ".mp4",
    "video/quicktime": ".mov",
    "video/webm": ".webm",
    "video/x-matroska": ".mkv",
    "video/x-msvideo": ".avi",
}
_SEPARATORS = re.compile(r"[\\/\x00]")
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Content:
    """What a member of the archive holds: an object of the store, or bytes made here."""

    member: Member
    sha256: str
    key: str | None = None
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class _File:
    """A result file and where it goes."""

    path: str
    pipeline: str
    artefact: Artefact
    made: datetime


class Archive:
    """The archive of a job.

    Attributes:
        size_bytes: Its length.
        etag: Tells one version of it from another, without quotes.
        ranges: Whether any range of it can be read, not only the whole.
    """

    def __init__(self, contents: Sequence[Content], objects: ObjectStore) -> None:
        self._contents = contents
        self._objects = objects
        self._layout = Layout([content.member for content in contents])
        self.size_bytes = self._layout.size_bytes
        self.ranges = self._layout.fixed
        self.etag = _etag(contents)

    @property
    def names(self) -> list[str]:
        """Of the members, in order."""
        return [content.member.name for content in self._contents]

    async def read(self, offset: int, length: int) -> AsyncIterator[bytes]:
        """Streams a range of it; the whole, unless ``ranges``.

        Raises:
            ObjectNotFoundError: A file went away meanwhile.
            StorageUnavailableError: The store does not give what it should.
        """
        checksums: dict[int, int] = {}
        begin, end, at = offset, offset + length, 0
        for part in self._layout.parts():
            first, last = max(begin - at, 0), min(end - at, part.size_bytes)
            if first < last:
                if part.kind is Kind.CONTENT:
                    checksum = 0
                    content = self._contents[part.member]
                    async for block in self._content(content, first, last - first):
                        checksum = zlib.crc32(block, checksum)
                        yield block
                    checksums[part.member] = checksum
                    if last - first == part.size_bytes and content.member.crc32 not in {None, checksum}:
                        raise StorageUnavailableError(f"{content.key} is not what was stored under this key")
                else:
                    yield self._layout.written(part, checksums)[first:last]
            at += part.size_bytes

    async def _content(self, content: Content, offset: int, length: int) -> AsyncIterator[bytes]:
        if content.key is None:
            yield content.body[offset : offset + length]
            return
        left = length
        async for block in self._objects.read(content.key, offset=offset, length=length):
            left -= len(block)
            yield block
        if left:
            raise StorageUnavailableError(f"{content.key} ended {left} bytes early")


class ArtifactService:
    """Puts the archives together."""

    def __init__(self, jobs: JobService, objects: ObjectStore) -> None:
        self._jobs = jobs
        self._objects = objects

    async def archive(self, caller: Caller, job_id: str) -> Archive:
        """All that a job has by now, in any state.

        The media lie at the top under their own name, the results in ``<stem>_output``, as VideoAnnotator has
        them. Names that two pipelines have given go into numbered folders there.

        Raises:
            JobNotFoundError: There is no such job.
            NoArtifactsError: Nothing of it is in the store.
        """
        job = await self._jobs.get(caller, job_id)
        wanted = _files(job)
        found = await asyncio.gather(
            self._is_there(job.media.key, job.media.size_bytes),
            *(self._is_there(file.artefact.key, file.artefact.size_bytes) for file in wanted),
        )
        files = [file for file, there in zip(wanted, found[1:], strict=True) if there]
        media = [_media(job)] if found[0] else []
        if not files and not media:
            raise NoArtifactsError(job_id)
        contents = [*media, *map(_stored, files)]
        made = {_MANIFEST: _manifest(job, contents, files), _PROVENANCE: await self._provenance(job)}
        taken = {content.member.name for content in contents}
        when = job.completed_at or job.created_at
        told = [_made(_free(name, taken), body, when) for name, body in made.items() if body]
        return Archive([*contents, *told], self._objects)

    async def media(self, caller: Caller, job_id: str) -> MediaRef:
        """The media of a job.

        Raises:
            JobNotFoundError: There is no such job.
            NoArtifactsError: They are no longer in the store.
        """
        job = await self._jobs.get(caller, job_id)
        if not await self._is_there(job.media.key, job.media.size_bytes):
            raise NoArtifactsError(job_id)
        return job.media

    async def _is_there(self, key: str, size_bytes: int) -> bool:
        try:
            info = await self._objects.info(key)
        except ObjectNotFoundError:
            return False
        if info.size_bytes != size_bytes:
            log.error("size differs from the document", key=key, stored=info.size_bytes, told=size_bytes)
            return False
        return True

    async def _provenance(self, job: JobDocument) -> bytes:
        """The manifests that the results service wrote, a line each."""
        keys = [task.result.manifest_key for task in job.tasks if task.result]
        manifests = await asyncio.gather(*(self._small(key) for key in keys))
        return b"".join(b" ".join(body.split(b"\n")) + b"\n" for body in manifests if body)

    async def _small(self, key: str) -> bytes:
        try:
            return b"".join([block async for block in self._objects.read(key)])
        except ObjectNotFoundError:
            return b""


def _files(job: JobDocument) -> list[_File]:
    """Every visible result file, each with a path of its own."""
    made = [
        (task.pipeline, artefact, task.ended_at or job.updated_at)
        for task in job.tasks
        if task.result
        for artefact in task.result.artefacts
    ]
    # No pipeline's name may be part of a path: the viewer takes a file for what its path speaks of.
    folder = _safe(f"{job.media.stem}_output")
    numbers: Counter[str] = Counter()
    files = []
    for pipeline, artefact, when in made:
        number = numbers[artefact.filename]
        numbers[artefact.filename] += 1
        place = f"{folder}/{number + 1}" if number else folder
        files.append(_File(f"{place}/{_safe(artefact.filename)}", pipeline, artefact, when))
    return files


def _media(job: JobDocument) -> Content:
    media = job.media
    return Content(
        Member(_media_name(media), media.size_bytes, media.crc32, job.created_at), media.sha256, media.key
    )


def _media_name(media: MediaRef) -> str:
    """Its own name; one without an ending gets that of its kind, since viewers go by it."""
    name = _safe(media.filename)
    return name if "." in name.strip(".") else name + _EXTENSIONS.get(media.content_type, "")


def _safe(name: str) -> str:
    """A name that leads nowhere else when it is unpacked. It should be one already."""
    return _SEPARATORS.sub("_", name).lstrip(".") or "_"


def _free(name: str, taken: set[str]) -> str:
    return _free(f"_{name}", taken) if name in taken else name


def _stored(file: _File) -> Content:
    artefact = file.artefact
    member = Member(file.path, artefact.size_bytes, artefact.crc32, file.made)
    return Content(member, artefact.sha256, artefact.key)


def _made(name: str, body: bytes, when: datetime) -> Content:
    digest = hashlib.sha256(body).hexdigest()
    return Content(Member(name, len(body), zlib.crc32(body), when), digest, body=body)


def _manifest(job: JobDocument, contents: Sequence[Content], files: Sequence[_File]) -> bytes:
    """What the archive holds. Without configurations: their keys could make a viewer take it for results."""
    results: dict[str, _File] = {file.path: file for file in files}
    listed: list[dict[str, Any]] = []
    for content in contents:
        name = content.member.name
        entry: dict[str, Any] = {
            "path": name,
            "size_bytes": content.member.size_bytes,
            "sha256": content.sha256,
        }
        if name in results:
            file = results[name]
            entry |= {
                "pipeline": file.pipeline,
                "format": file.artefact.format,
                "media_type": file.artefact.media_type,
                "annotation_count": file.artefact.annotation_count,
            }
        else:
            entry["media_type"] = job.media.content_type
        listed.append(entry)
    told = {
        "job_id": job.id,
        "status": job.status.value,
        "pipelines": list(job.selected_pipelines),
        "created_at": job.created_at.isoformat(),
        "completed_at": job.completed_at.isoformat() if job.completed_at else None,
        "files": listed,
    }
    return json.dumps(told, indent=1, ensure_ascii=False).encode() + b"\n"


def _etag(contents: Sequence[Content]) -> str:
    facts = [[c.member.name, c.member.modified.isoformat(), c.sha256, c.member.crc32] for c in contents]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()
