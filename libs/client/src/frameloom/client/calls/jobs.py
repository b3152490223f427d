"""Jobs: submitting, listing, showing, cancelling, deleting, and waiting for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from frameloom.client.answers import parse
from frameloom.client.errors import WaitTimeoutError
from frameloom.client.events import FollowPolicy, follow, follow_all, patiently
from frameloom.client.models import EventToken, FeedItem, Job, JobPage, JobResults
from frameloom.client.transport import API, Calls, segment
from frameloom.client.uploads import Source, Submission, opened, way
from frameloom.client.uploads.media import OnBytes

_JOBS = f"{API}/jobs"


class JobCalls(Calls):
    """Calls about jobs."""

    async def submit(
        self,
        video: Source,
        *,
        pipelines: Sequence[str] = (),
        config: Mapping[str, Any] | None = None,
        filename: str | None = None,
        on_bytes: OnBytes | None = None,
        upload: str = "auto",
    ) -> Job:
        """Uploads a media file, piece by piece, and asks for its annotation.

        No job is made twice: a form is sent again only where the server surely has not taken it, and a large
        file goes by a resumable upload, which goes on where it broke and becomes a job once.

        Args:
            video: A path, bytes, or a file that is open for reading in binary mode. Of a path only the last
                part is told to the server.
            pipelines: Names of pipelines; none means the server's default.
            config: Settings by pipeline.
            filename: What the server calls it; needed for bytes and files without a name.
            on_bytes: Called with the number of bytes sent so far; it goes back if some are sent again.
            upload: How: ``form`` in one request, ``tus`` resumable, or ``auto``: the best for this file.

        Raises:
            UsageError: The file can not be read, or there is no such way.
            RefusedError: The server does not take it.
        """
        order = Submission(pipelines=tuple(pipelines), config=dict(config or {}))
        chosen = way(upload)
        with opened(video, filename, on_bytes) as media:
            return await chosen(self._transport, media, order)

    async def job(self, job_id: str) -> Job:
        """One job.

        Raises:
            NotFoundError: There is none, or it is not yours.
        """
        return await self._transport.get(Job, f"{_JOBS}/{segment(job_id)}")

    async def jobs_page(self, *, page: int = 1, per_page: int = 10, status: str | None = None) -> JobPage:
        """A page of the list of jobs, as the server orders it.

        Args:
            page: Which, from 1.
            per_page: How many jobs a page has.
            status: Only jobs of this status.
        """
        params: dict[str, str | int] = {"page": page, "per_page": per_page}
        if status:
            params["status_filter"] = status
        return await self._transport.get(JobPage, f"{_JOBS}/", params=params)

    async def jobs(self, *, status: str | None = None, per_page: int = 100) -> AsyncGenerator[Job]:
        """All jobs, as the server orders them; pages are asked for as they are needed.

        Jobs may be deleted meanwhile: the page before is then looked at again, so none is passed over.

        Args:
            status: Only jobs of this status.
            per_page: How many are asked for at a time.

        Yields:
            Each job once.
        """
        seen: set[str] = set()
        number, total = 1, 0
        while True:
            page = await self.jobs_page(page=number, per_page=per_page, status=status)
            if page.total < total and number > 1:
                # Some have gone, and the rest moved up, perhaps to pages that were read already.
                number = max(1, number + (page.total - total) // per_page)
                total = page.total
                continue
            total = page.total
            for job in page.jobs:
                if job.id not in seen:
                    seen.add(job.id)
                    yield job
            if len(page.jobs) < per_page or number * per_page >= page.total:
                return
            number += 1

    async def cancel(self, job_id: str) -> Job:
        """Cancels a job; one that is already cancelled stays so.

        Raises:
            ConflictError: It has ended otherwise.
        """
        return parse(Job, await self._transport.send("POST", f"{_JOBS}/{segment(job_id)}/cancel"))

    async def delete(self, job_id: str) -> None:
        """Deletes a job in whatever state, with its video and its results.

        Raises:
            NotFoundError: There is none, or it is not yours.
        """
        await self._transport.send("DELETE", f"{_JOBS}/{segment(job_id)}")

    async def results(self, job_id: str) -> JobResults:
        """The results of a job, in whatever state it is."""
        return await self._transport.get(JobResults, f"{_JOBS}/{segment(job_id)}/results")

    async def events(
        self,
        job_id: str | None = None,
        *,
        last_event_id: str | None = None,
        policy: FollowPolicy | None = None,
    ) -> AsyncGenerator[FeedItem]:
        """Events as they happen, each once; a stream that breaks is taken up where it broke.

        Args:
            job_id: Those of this job, from its first to its last; without it, those of all jobs from now on,
                without an end.
            last_event_id: Go on after this event.
            policy: How patient to be with the server.

        Yields:
            Events, and progress between them.

        Raises:
            NotFoundError: There is no such job.
            UnreachableError: The server was silent for longer than the policy's patience.
        """
        if job_id is None:
            feed = follow_all(self._transport, last_event_id=last_event_id, policy=policy)
        else:
            feed = follow(self, job_id, last_event_id=last_event_id, policy=policy)
        try:
            async for item in feed:
                yield item
        finally:
            await feed.aclose()

    async def event_token(self, *, job_id: str | None = None, ttl_seconds: int = 60) -> EventToken:
        """A token that opens event streams and videos in the place of a key, for a browser.

        Args:
            job_id: Only for this job.
            ttl_seconds: How long it opens them; a stream that is open goes on.
        """
        body: dict[str, str | int] = {"ttl_seconds": ttl_seconds} | ({"job_id": job_id} if job_id else {})
        # To ask again makes another token and changes nothing, so this POST may be repeated.
        return parse(EventToken, await self._transport.send("POST", f"{API}/events/token", json=body))

    async def wait(
        self,
        job_id: str,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - the plain client has no other way to bound it
        policy: FollowPolicy | None = None,
    ) -> JobResults:
        """The results of a job once it has ended.

        Its events are followed; where none are to be had, the job is asked for now and then.

        Args:
            job_id: The job.
            timeout: Seconds; None: as long as it takes.
            policy: How patient to be with the server.

        Raises:
            WaitTimeoutError: It has not ended by then.
        """
        rules = policy or FollowPolicy()
        try:
            async with asyncio.timeout(timeout):
                feed = follow(self, job_id, policy=rules)
                try:
                    async for _ in feed:
                        pass
                finally:
                    await feed.aclose()
                return await patiently(lambda: self.results(job_id), rules)
        except TimeoutError as error:
            raise WaitTimeoutError(
                f"Job {job_id} has not ended within {timeout or 0:g} s", hint="It goes on; wait for it again"
            ) from error
