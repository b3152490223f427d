"""A client that sends jobs and notes when each of their events is seen."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import aiohttp

_ENDS = {"job.completed", "job.failed", "job.cancelled"}


class BenchmarkError(Exception):
    """The system did not do what is measured."""


@dataclass(slots=True)
class Timed:
    """One job, with the times of both clocks.

    ``sent`` and ``seen`` are this process's monotonic clock, in seconds; ``sent_at`` and ``times`` are the
    machine's wall clock, the latter as the services wrote it into the events.

    Attributes:
        id: The job's.
        sent: When the POST began.
        answered: When its 201 had arrived.
        sent_at: As ``sent``.
        seen: When each event arrived over the stream, by type; of several of a type the last.
        times: When each event happened, likewise.
        tasks: When each event of each pipeline's task arrived, by (type, pipeline).
    """

    id: str
    sent: float
    answered: float
    sent_at: datetime
    seen: dict[str, float] = field(default_factory=dict)
    times: dict[str, datetime] = field(default_factory=dict)

    def seen_after(self, event: str) -> float:
        """Seconds from sending the POST until the event was seen here."""
        return self.seen[event] - self.sent

    def happened_after(self, event: str) -> float:
        """Seconds from sending the POST until the event happened, by its own time."""
        return (self.times[event] - self.sent_at).total_seconds()


class Client:
    """Sends jobs over one connection pool and hears all events over one stream."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str) -> None:
        self._session = session
        self._base_url = base_url
        self._heard: dict[str, list[tuple[float, dict[str, Any]]]] = {}
        self._news = asyncio.Condition()
        self._broken: str | None = None

    @classmethod
    @asynccontextmanager
    async def connected(cls, base_url: str, api_key: str) -> AsyncIterator[Self]:
        """A client whose stream is open: no event of a job sent from now on is missed."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=60)
        headers = {"Authorization": f"Bearer {api_key}"}
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector, headers=headers) as session:
            client = cls(session, base_url)
            opened = asyncio.Event()
            listening = asyncio.create_task(client._listen(opened))
            try:
                async with asyncio.timeout(10):
                    await opened.wait()
                yield client
            finally:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)

    @property
    def session(self) -> aiohttp.ClientSession:
        """Sends the key with each request."""
        return self._session

    @property
    def base_url(self) -> str:
        """Where the gateway is."""
        return self._base_url

    async def submit(
        self,
        video: bytes | Path,
        pipelines: str,
        *,
        config: dict[str, Any] | None = None,
        name: str = "clip.mp4",
    ) -> Timed:
        """Sends a job, which must be accepted."""
        form = aiohttp.FormData()
        form.add_field("selected_pipelines", pipelines)
        if config is not None:
            form.add_field("config", json.dumps(config))
        body = video.open("rb") if isinstance(video, Path) else video
        form.add_field("video", body, filename=name, content_type="video/mp4")
        sent_at, sent = datetime.now(UTC), time.perf_counter()
        async with self._session.post(f"{self._base_url}/api/v1/jobs/", data=form) as answer:
            text = await answer.text()
        if answer.status != 201:
            raise BenchmarkError(f"a job was refused with {answer.status}: {text[:300]}")
        return Timed(json.loads(text)["id"], sent, time.perf_counter(), sent_at)

    async def ended(self, job: Timed, seconds: float) -> Timed:
        """The job with all its times, once it has completed.

        Raises:
            BenchmarkError: It failed, or did not end in this time, or the stream broke.
        """
        try:
            async with asyncio.timeout(seconds), self._news:
                await self._news.wait_for(lambda: self._broken or self._last(job.id) in _ENDS)
        except TimeoutError:
            raise BenchmarkError(f"a job did not end within {seconds:g} s: {self._last(job.id)}") from None
        if self._broken:
            raise BenchmarkError(self._broken)
        for arrived, event in self._heard.pop(job.id):
            for key in (event["type"], f"{event['type']} {event['data'].get('pipeline', '')}".strip()):
                job.seen[key] = arrived
                job.times[key] = datetime.fromisoformat(event["time"])
        if "job.completed" not in job.seen:
            raise BenchmarkError(f"a job ended otherwise: {sorted(job.seen)}")
        return job

    async def cancel(self, job_id: str) -> None:
        """Cancels a job."""
        await self._ask("POST", f"/api/v1/jobs/{job_id}/cancel", 200)

    async def delete(self, job_id: str) -> None:
        """Deletes a job."""
        await self._ask("DELETE", f"/api/v1/jobs/{job_id}", 204)

    async def results(self, job_id: str) -> dict[str, Any]:
        """What the gateway tells about a job's results."""
        async with self._session.get(f"{self._base_url}/api/v1/jobs/{job_id}/results") as answer:
            return dict(await answer.json())

    async def _ask(self, method: str, path: str, status: int) -> None:
        async with self._session.request(method, f"{self._base_url}{path}") as answer:
            if answer.status != status:
                raise BenchmarkError(f"{method} {path} was answered with {answer.status}")

    async def archive(self, job_id: str) -> int:
        """Reads a job's archive and throws it away; answers its length in bytes.

        Raises:
            BenchmarkError: It was not as long as it said.
        """
        passed = 0
        async with self._session.get(f"{self._base_url}/api/v1/jobs/{job_id}/artifacts") as answer:
            async for block in answer.content.iter_any():
                passed += len(block)
            if passed != answer.content_length:
                raise BenchmarkError(f"an archive of {answer.content_length} bytes had {passed}")
        return passed

    def _last(self, job_id: str) -> str:
        heard = self._heard.get(job_id)
        return str(heard[-1][1]["type"]) if heard else "no event"

    async def _listen(self, opened: asyncio.Event) -> None:
        try:
            async with self._session.get(f"{self._base_url}/api/v1/events/stream?format=events") as answer:
                async for line in answer.content:
                    if line.startswith(b"data:"):
                        await self._take(time.perf_counter(), json.loads(line[5:]), opened)
            reason = "the event stream ended"
        except aiohttp.ClientError as error:
            reason = f"the event stream broke: {error!r}"
        async with self._news:
            self._broken = reason
            self._news.notify_all()

    async def _take(self, arrived: float, event: dict[str, Any], opened: asyncio.Event) -> None:
        if event["type"] == "connected":
            opened.set()
        elif "seq" in event:  # telemetry and heartbeats have none
            async with self._news:
                self._heard.setdefault(event["job_id"], []).append((arrived, event))
                self._news.notify_all()
