"""Result files to disk: each by a safe name, checked against what the server tells of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from frameloom.client.errors import NotFoundError
from frameloom.client.fetching import OnProgress, Streams, Wanted, fetch
from frameloom.client.models import JobResults, ResultFile
from frameloom.client.names import prepare_folder, safe_name
from frameloom.client.transport import API, segment


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


async def download_all(connection: Streams, results: JobResults, folder: Path) -> tuple[Downloaded, ...]:
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
            done.append(await download(connection, results.job_id, name, file, target))
    return tuple(done)


def listed(results: JobResults, pipeline: str, filename: str | None) -> ResultFile:
    """A file in the list of results.

    Args:
        results: The list.
        pipeline: Whose file.
        filename: Which of its files; the first unless given.

    Raises:
        NotFoundError: It is not in the list; the message tells what is.
    """
    result = results.pipeline_results.get(pipeline)
    if result is None:
        known = ", ".join(results.pipeline_results) or "none"
        raise NotFoundError(f"Job {results.job_id} has no pipeline {pipeline}", hint=f"It has: {known}")
    for file in result.downloads:
        if filename in {None, file.filename}:
            return file
    names = ", ".join(file.filename for file in result.downloads)
    what = f"file {filename}" if filename else "file yet"
    raise NotFoundError(
        f"The pipeline {pipeline} of job {results.job_id} has no {what}",
        hint=f"It has: {names}" if names else f"It is {result.status}",
    )


async def download(
    connection: Streams,
    job_id: str,
    pipeline: str,
    file: ResultFile,
    target: Path,
    *,
    on_progress: OnProgress | None = None,
) -> Downloaded:
    """One file to ``target``. See :func:`frameloom.client.fetching.fetch` for what may go wrong."""
    wanted = Wanted(
        path=f"{API}/jobs/{segment(job_id)}/results/files/{segment(pipeline)}",
        name=file.filename,
        params={"file": file.filename},
        size_bytes=file.size_bytes,
        sha256=file.sha256,
    )
    fetched = await fetch(connection, wanted, target, on_progress=on_progress)
    return Downloaded(
        pipeline=pipeline,
        path=target,
        size_bytes=fetched.size,
        sha256=fetched.sha256,
        verified=file.sha256 is not None,
    )
