"""The same client for plain code: an :class:`~frameloom.client.api.AsyncClient` on a thread of its own.

So there is one implementation, and it also works where an event loop already runs (a notebook).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from frameloom.client.api import AsyncClient
from frameloom.client.download import Downloaded, download_all
from frameloom.client.events import FollowPolicy, follow
from frameloom.client.models import FeedItem, Job, JobPage, JobResults, Pipeline

_T = TypeVar("_T")


class Client:
    """A connection to one gateway; use it as a context manager. Its methods are those of the other client.

    Args:
        server: Its address, ``http://127.0.0.1:18011`` for example.
        api_key: Sent as a bearer token, if given.

    Raises:
        UsageError: ``server`` is no http or https address.
    """

    def __init__(self, server: str, *, api_key: str | None = None) -> None:
        self._client = AsyncClient(server, api_key=api_key)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="frameloom-client", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection; a second call does nothing."""
        if self._loop.is_closed():
            return
        self._run(self._client.__aexit__(None, None, None))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def health(self, *, detailed: bool = False) -> dict[str, Any]:
        """The server's health."""
        return self._run(self._client.health(detailed=detailed))

    def pipelines(self) -> tuple[Pipeline, ...]:
        """What the server can run."""
        return self._run(self._client.pipelines())

    def submit(
        self,
        video: Path,
        *,
        pipelines: Sequence[str] = (),
        config: Mapping[str, Any] | None = None,
        on_bytes: Callable[[int], None] | None = None,
    ) -> Job:
        """Uploads a media file and asks for its annotation; ``on_bytes`` is called on another thread."""
        return self._run(self._client.submit(video, pipelines=pipelines, config=config, on_bytes=on_bytes))

    def job(self, job_id: str) -> Job:
        """One job."""
        return self._run(self._client.job(job_id))

    def jobs(self, *, page: int = 1, per_page: int = 10, status: str | None = None) -> JobPage:
        """A page of the list of jobs."""
        return self._run(self._client.jobs(page=page, per_page=per_page, status=status))

    def cancel(self, job_id: str) -> Job:
        """Cancels a job."""
        return self._run(self._client.cancel(job_id))

    def results(self, job_id: str) -> JobResults:
        """The results of a job, in whatever state it is."""
        return self._run(self._client.results(job_id))

    def download(self, job_id: str, folder: Path) -> tuple[Downloaded, ...]:
        """Every file of a job into a folder, checked."""
        return self._run(self._download(job_id, folder))

    def events(
        self, job_id: str, *, last_event_id: str | None = None, policy: FollowPolicy | None = None
    ) -> Iterator[FeedItem]:
        """The events of a job up to its end; see :func:`frameloom.client.events.follow`."""
        feed = follow(self._client, job_id, last_event_id=last_event_id, policy=policy)
        try:
            while (item := self._run(_next(feed))) is not None:
                yield item
        finally:
            self._run(feed.aclose())

    def wait(self, job_id: str, *, policy: FollowPolicy | None = None) -> JobResults:
        """The results of a job once it has ended."""
        for _ in self.events(job_id, policy=policy):
            pass
        return self.results(job_id)

    async def _download(self, job_id: str, folder: Path) -> tuple[Downloaded, ...]:
        return await download_all(self._client, await self._client.results(job_id), folder)

    def _run(self, work: Coroutine[Any, Any, _T]) -> _T:
        future: Future[_T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            # Ctrl-C here must not leave the work running over there.
            future.cancel()
            raise


async def _next(feed: Any) -> FeedItem | None:
    item: FeedItem | None = await anext(feed, None)
    return item
