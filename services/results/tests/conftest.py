"""A results service over stores in memory, with a clock that stands still."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from frameloom.common.adapters.memory import (
    MemoryJobStore,
    MemoryObjectStore,
    MemoryPublisher,
    MemoryTaskStore,
)
from frameloom.common.cas import transact
from frameloom.common.clock import ManualClock, task_id
from frameloom.common.documents import JobDocument, JobStatus, MediaRef, TaskDocument
from frameloom.common.events import AnnotationChunk, AnnotationsFinished, Provenance
from frameloom.common.machines import job as jobs_machine
from frameloom.common.machines.retry import RetryPolicy
from frameloom.common.machines.task import TaskMachine
from frameloom.common.pipelines import ArtefactSpec, Item
from frameloom.results.chunks import ChunkStore
from frameloom.results.handlers import Handlers
from frameloom.results.publishing import Finisher
from frameloom.results.tidying import Tidier

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PROVENANCE = Provenance(
    input_sha256="00",
    pipeline="a",
    pipeline_version="1",
    decoder="d",
    frameloom_version="1",
    worker="w",
    started_at=NOW,
    ended_at=NOW,
)
SPEC = ArtefactSpec(suffix="_a.json", lists=("annotations", "images"))


class World:
    """The parts over one set of stores; replace a store before the first use of a part."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.jobs = MemoryJobStore(self.clock)
        self.tasks = MemoryTaskStore(self.clock)
        self.objects = MemoryObjectStore()
        self.publisher = MemoryPublisher()
        self.machine = TaskMachine(RetryPolicy(jitter=lambda: 1.0), 15.0, 60.0)

    @property
    def chunks(self) -> ChunkStore:
        return ChunkStore(self.objects)

    @property
    def finisher(self) -> Finisher:
        return Finisher(
            self.tasks, self.objects, self.chunks, self.publisher, "wake", self.machine, self.clock, None
        )

    @property
    def handlers(self) -> Handlers:
        return Handlers(self.tasks, self.chunks, self.finisher)

    @property
    def tidier(self) -> Tidier:
        return Tidier(self.jobs, self.tasks, self.objects, 0.01, self.clock)

    async def running(self, job_id: str = "j", pipelines: tuple[str, ...] = ("a",)) -> TaskDocument:
        """A planned job whose tasks all run; the first one."""
        media = MediaRef(key=f"media/{job_id}/source", filename="my clip.mp4", size_bytes=1, sha256="00")
        submission = jobs_machine.Submission(job_id, "t", media, pipelines, {})
        job = jobs_machine.submit(submission, self.clock.now())
        tasks = jobs_machine.plan_tasks(job, self.clock.now())
        await self.jobs.insert(jobs_machine.planned(job, tasks, self.clock.now()).after)
        await self.tasks.insert_missing(tasks)
        self.objects.held[media.key] = (b"media", "video/mp4")
        for name in pipelines:
            await self.claim(job_id, name)
        return self.task(job_id, pipelines[0])

    async def claim(self, job_id: str = "j", pipeline: str = "a") -> TaskDocument:
        task = self.task(job_id, pipeline)
        return await self.write(task, "claim", attempt=task.attempt, worker="w", now=self.clock.now())

    async def write(self, task: TaskDocument, reason: str, **more: object) -> TaskDocument:
        decide: Any = partial(getattr(self.machine, reason), **more)
        return await transact(self.tasks, task.id, decide)

    async def handed_over(self, *rows: dict[str, Any]) -> AnnotationsFinished:
        """A running task with one chunk per row, handed over; the event that says so."""
        task = await self.running()
        for seq, row in enumerate(rows):
            await self.chunks.put(self.chunk(task, seq, row))
        await self.write(task, "finish", epoch=task.epoch)
        return self.finished(task, len(rows))

    @staticmethod
    def chunk(
        task: TaskDocument, seq: int, *rows: dict[str, Any], name: str = "annotations"
    ) -> AnnotationChunk:
        return AnnotationChunk(
            job_id=task.job_id,
            task_id=task.id,
            epoch=task.epoch,
            seq=seq,
            start_seconds=seq,
            end_seconds=seq + 1,
            items=tuple(Item(list=name, row=row) for row in rows),
        )

    @staticmethod
    def finished(task: TaskDocument, chunks: int, *specs: ArtefactSpec) -> AnnotationsFinished:
        return AnnotationsFinished(
            job_id=task.job_id,
            task_id=task.id,
            epoch=task.epoch,
            chunks=chunks,
            media=task.media,
            media_seconds=1.0,
            artefacts=specs or (SPEC,),
            provenance=PROVENANCE,
        )

    def task(self, job_id: str = "j", pipeline: str = "a") -> TaskDocument:
        return self.tasks.held[task_id(job_id, pipeline)]

    def job(self, job_id: str = "j") -> JobDocument:
        return self.jobs.held[job_id]

    def keys(self, prefix: str = "") -> list[str]:
        return sorted(key for key in self.objects.held if key.startswith(prefix))

    async def end(self, status: str, job_id: str = "j") -> None:
        """Ends the job document, as the scheduler's folding or a client's cancel does."""
        self.jobs.held[job_id] = self.job(job_id).model_copy(update={"status": JobStatus(status)})


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def provenance() -> Provenance:
    return PROVENANCE
