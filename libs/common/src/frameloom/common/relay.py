"""The outbox relay: brings the job documents' events to Kafka, in order, then marks them.

A crash between publishing and marking publishes again: every event has a stable id and a sequence, so a
reader knows a repetition. A crash before publishing leaves ``relay_due`` set, and the sweep finds it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog

from frameloom.common.background import in_background
from frameloom.common.documents import JobDocument
from frameloom.common.errors import TransientError
from frameloom.common.events import JobEventMessage
from frameloom.common.ports.broker import Publisher
from frameloom.common.ports.stores import JobStore

_SWEEP_LIMIT = 200
_REMEMBERED_JOBS = 10_000
_PAUSE_AFTER_FAULT_SECONDS = 1.0
log = structlog.get_logger(__name__)


class JobRelay:
    """Publishes job events from one task of its own, so that a job's events leave this process in order."""

    def __init__(self, jobs: JobStore, publisher: Publisher, topic: str) -> None:
        self._jobs = jobs
        self._publisher = publisher
        self._topic = topic
        self._pending: dict[str, JobDocument] = {}
        self._published: OrderedDict[str, int] = OrderedDict()
        self._wake = asyncio.Event()

    def offer(self, job: JobDocument) -> None:
        """A job was written: publish what is new in it, soon. Returns at once."""
        known = self._pending.get(job.id)
        if known is None or known.seq < job.seq:
            self._pending[job.id] = job
        self._wake.set()

    async def sweep(self) -> None:
        """Offers every job that some process has left unpublished."""
        for job in await self._jobs.relay_due(_SWEEP_LIMIT):
            self.offer(job)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Relays in the background; publishes what is still pending at the end."""
        try:
            async with in_background(self._run(), "job-relay"):
                yield
        finally:
            with suppress(TransientError):  # the sweep of another process will find what is left
                await self._relay_pending()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self._relay_pending()
            except TransientError as error:
                log.warning("events wait in their documents", reason=str(error), jobs=len(self._pending))
                await asyncio.sleep(_PAUSE_AFTER_FAULT_SECONDS)
                self._wake.set()

    async def _relay_pending(self) -> None:
        batch = list(self._pending.values())
        if not batch:
            return
        # All of them end before anything else happens: one that goes on beside the next round would send
        # its events twice, and behind later ones.
        ends = await asyncio.gather(*(self._publish(job) for job in batch), return_exceptions=True)
        sent = [job for job, end in zip(batch, ends, strict=True) if end is None]
        await self._jobs.mark_relayed([(job.id, job.seq) for job in sent])
        for job in sent:
            if self._pending[job.id].seq == job.seq:
                del self._pending[job.id]
        for end in ends:
            if end is not None:
                raise end

    async def _publish(self, job: JobDocument) -> None:
        done = max(job.relayed_seq, self._published.get(job.id, 0))
        for event in job.events:
            if event.seq <= done:
                continue
            message = JobEventMessage(
                id=event.id,
                time=event.time,
                job_id=job.id,
                tenant=job.tenant,
                seq=event.seq,
                type=event.type,
                status=event.status,
                data=event.data,
            )
            await self._publisher.publish(message, self._topic)
            self._remember(job.id, event.seq)

    def _remember(self, job_id: str, seq: int) -> None:
        """A job written before the mark came back still asks for old events: do not send them again."""
        self._published[job_id] = seq
        self._published.move_to_end(job_id)
        if len(self._published) > _REMEMBERED_JOBS:
            self._published.popitem(last=False)
