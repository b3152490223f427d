"""Result files and archives, to disk."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from frameloom.client.archives import Archive, fetch_archive, unpack
from frameloom.client.calls.jobs import JobCalls
from frameloom.client.download import Downloaded, download, download_all, listed
from frameloom.client.fetching import OnProgress
from frameloom.client.names import place, prepare_folder

_Path = str | os.PathLike[str]


class ResultCalls(JobCalls):
    """Calls that bring files."""

    async def download(self, job_id: str, folder: _Path) -> tuple[Downloaded, ...]:
        """Every result file of a job into a folder, checked.

        Args:
            job_id: The job.
            folder: Is made if need be.

        Raises:
            IntegrityError: A file is not what the server says it is; nothing of it is left.
            UsageError: The folder can not be written.
        """
        return await download_all(self._transport, await self.results(job_id), Path(folder))

    async def download_file(
        self,
        job_id: str,
        pipeline: str,
        target: _Path,
        *,
        filename: str | None = None,
        on_progress: OnProgress | None = None,
    ) -> Downloaded:
        """One result file, checked by its length and sha256; taken up where the line breaks.

        Args:
            job_id: The job.
            pipeline: Whose file.
            target: Where to; in a folder that exists, under the server's name for it.
            filename: Which of the pipeline's files; the first unless given.
            on_progress: Called with the bytes that have arrived, and how many there are in all.

        Raises:
            NotFoundError: There is no such file.
            IntegrityError: It is not what the server says it is; nothing of it is left.
        """
        file = listed(await self.results(job_id), pipeline, filename)
        wanted = place(Path(target), file.filename, fallback=f"{pipeline}.bin")
        return await download(self._transport, job_id, pipeline, file, wanted, on_progress=on_progress)

    async def artifacts(
        self, job_id: str, target: _Path, *, on_progress: OnProgress | None = None
    ) -> Archive:
        """The job's video and all its files as one ZIP, streamed to disk and checked member by member.

        Args:
            job_id: The job.
            target: The file; in a folder that exists, ``job_<id>_artifacts.zip``.
            on_progress: Called with the bytes that have arrived, and how many there are in all, if that is
                known.

        Raises:
            IntegrityError: What came is no whole ZIP; nothing of it is left.
        """
        return await fetch_archive(self._transport, job_id, Path(target), on_progress=on_progress)

    async def unpacked(
        self, job_id: str, folder: _Path, *, on_progress: OnProgress | None = None
    ) -> tuple[Path, ...]:
        """The job's video and all its files, out of the ZIP into a folder.

        Args:
            job_id: The job.
            folder: Is made if need be. Nothing is written outside of it, whatever the names in the ZIP.
            on_progress: As for :meth:`artifacts`.
        """
        prepare_folder(Path(folder))
        with tempfile.TemporaryDirectory(prefix=".frameloom-", dir=folder) as scratch:
            archive = await self.artifacts(job_id, Path(scratch) / "artifacts.zip", on_progress=on_progress)
            return await unpack(archive.path, Path(folder))
