"""The way of ``annotate``: upload each video, watch its job, fetch its files."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from frameloom.client.api import AsyncClient
from frameloom.client.download import download_all
from frameloom.client.errors import ClientError, RefusedError, UsageError
from frameloom.client.models import Job
from frameloom.client.names import prepare_folder, safe_name
from frameloom.client.render.display import Display
from frameloom.client.reports import Report
from frameloom.client.watching import watch_to_end

_CANCEL_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Order:
    """What the user wants.

    Attributes:
        videos: The files, checked to be readable.
        pipelines: Names; none for the server's default.
        config: Settings by pipeline.
        out: Where the files go; of several videos, each into a folder of its own in there.
    """

    videos: tuple[Path, ...]
    pipelines: tuple[str, ...]
    out: Path
    config: Mapping[str, Any] = field(default_factory=dict)

    def folders(self) -> Sequence[Path]:
        """Where the files of each video go, in order; ``out`` is made."""
        prepare_folder(self.out)
        if len(self.videos) == 1:
            return [self.out]
        taken: set[str] = set()
        return [self.out / safe_name(video.stem, fallback="video", taken=taken) for video in self.videos]


class Annotation:
    """One run of ``annotate`` against one server.

    Attributes:
        open_jobs: Jobs that were accepted and have not ended, as far as is known.
    """

    def __init__(self, client: AsyncClient, order: Order, display: Display) -> None:
        self._client = client
        self._order = order
        self._display = display
        self.open_jobs: dict[str, Job] = {}

    async def run(self) -> list[Report]:
        """A report for each video, in their order.

        Uploads go one after the other, so that the first job starts as early as can be; jobs are watched
        side by side. A video that is refused does not keep the others from being done.

        Raises:
            ClientError: The server can not be reached, or the only video was refused.
        """
        labels = _labels(self._order.videos)
        folders = self._order.folders()
        watchers: list[asyncio.Task[Report]] = []
        reports: dict[str, Report] = {}
        try:
            for label, video, folder in zip(labels, self._order.videos, folders, strict=True):
                try:
                    job = await self._upload(label, video)
                except (RefusedError, UsageError) as error:
                    reports[label] = Report(label, error=error)
                    continue
                watchers.append(asyncio.create_task(self._finish(job, label, folder)))
            for done in await asyncio.gather(*watchers):
                reports[done.label] = done
        finally:
            for watcher in watchers:
                watcher.cancel()
            await asyncio.gather(*watchers, return_exceptions=True)
        return [reports[label] for label in labels]

    async def cancel_open(self) -> None:
        """Cancels what is still under way, as far as the server answers in a short time."""
        with suppress(ClientError, TimeoutError):
            async with asyncio.timeout(_CANCEL_SECONDS):
                for job_id in list(self.open_jobs):
                    await self._client.cancel(job_id)

    async def _upload(self, label: str, video: Path) -> Job:
        on_bytes = self._display.uploading(label, size_of(video))
        job = await self._client.submit(
            video, pipelines=self._order.pipelines, config=self._order.config, on_bytes=on_bytes
        )
        self.open_jobs[job.id] = job
        self._display.submitted(label, job)
        return job

    async def _finish(self, job: Job, label: str, folder: Path) -> Report:
        results = await watch_to_end(self._client, job, label, self._display)
        self.open_jobs.pop(job.id, None)
        try:
            return Report(label, results, await download_all(self._client, results, folder))
        except ClientError as error:
            return Report(label, results, error=error)


def size_of(video: Path) -> int:
    """Bytes of a file; 0 if it has gone since it was checked, which the upload will tell."""
    try:
        return video.stat().st_size
    except OSError:
        return 0


def _labels(videos: Sequence[Path]) -> list[str]:
    """Short names: the file's own, or its whole path where two are alike."""
    short = [video.name for video in videos]
    return [str(v) if short.count(v.name) > 1 else v.name for v in videos]
