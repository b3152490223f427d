"""From the last chunk to the visible result: assemble, store, write the manifest, flip."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

import structlog

from frameloom.common.cas import transact
from frameloom.common.clock import Clock
from frameloom.common.documents import Artefact, Failure, FailureCategory, TaskDocument, TaskResult
from frameloom.common.errors import NotFoundError, ObjectNotFoundError
from frameloom.common.events import AnnotationsFinished, Provenance, TaskChanged
from frameloom.common.machines.task import TaskMachine
from frameloom.common.machines.transition import Refused
from frameloom.common.pipelines import ArtefactSpec
from frameloom.common.ports.broker import Publisher
from frameloom.common.ports.objects import ObjectStore
from frameloom.common.ports.stores import TaskStore
from frameloom.results import layout
from frameloom.results.assembly import assemble
from frameloom.results.chunks import ChunkStore, MissingChunksError
from frameloom.results.formats.base import Rows
from frameloom.results.joining import Due, Side, joined_rows, plan, side_of, with_partner
from frameloom.results.manifest import Manifest

log = structlog.get_logger(__name__)


class Finisher:
    """Makes the result of a finished epoch visible, or removes what a stale one left."""

    def __init__(
        self,
        tasks: TaskStore,
        objects: ObjectStore,
        chunks: ChunkStore,
        publisher: Publisher,
        topic: str,
        machine: TaskMachine,
        clock: Clock,
        scratch_dir: Path | None,
    ) -> None:
        self._tasks = tasks
        self._objects = objects
        self._chunks = chunks
        self._publisher = publisher
        self._topic = topic
        self._machine = machine
        self._clock = clock
        self._scratch_dir = scratch_dir

    async def finish(self, event: AnnotationsFinished) -> None:
        """Handles the end of an epoch. Doing it twice changes nothing."""
        task = await self._tasks.get(event.task_id)
        if task is None or task.epoch != event.epoch or task.state.terminal or task.cancel_requested:
            await self._left_behind(task, event)
            return
        try:
            result = await self._assemble(task, event)
        except MissingChunksError as error:
            await self._fail(task, event, error)
            return
        try:
            decide = partial(self._machine.complete, result=result, now=self._clock.now())
            after = await transact(self._tasks, task.id, decide)
        except (Refused, NotFoundError):
            await self._left_behind(await self._tasks.get(event.task_id), event)
            return
        log.info("result visible", task_id=task.id, job_id=task.job_id, pipeline=task.pipeline)
        await self._changed(after)

    async def _assemble(self, task: TaskDocument, event: AnnotationsFinished) -> TaskResult:
        keys = await self._chunks.keys(task.job_id, task.id, event.epoch, event.chunks)
        if task.segment is not None:
            return _of_segment(event)
        own = Side(task.pipeline, keys, event.provenance)
        todo = plan(task, event.artefacts, await self._tasks.of_job(task.job_id))
        rows = partial(self._chunks.rows, keys)
        made = [await self._store(task, event.epoch, spec, event.provenance, rows) for spec in todo.alone]
        joined = [await self._join(task, event.epoch, own, due) for due in todo.due]
        artefacts = (*made, *(artefact for artefact in joined if artefact is not None))
        manifest_key = layout.manifest(task.job_id, task.pipeline, event.epoch)
        manifest = Manifest(
            job_id=task.job_id,
            task_id=task.id,
            pipeline=task.pipeline,
            epoch=event.epoch,
            artefacts=artefacts,
            provenance=event.provenance,
        )
        await self._objects.put(manifest_key, manifest.model_dump_json().encode(), "application/json")
        return TaskResult(
            epoch=event.epoch,
            manifest_key=manifest_key,
            artefacts=artefacts,
            annotation_count=sum(item.annotation_count for item in artefacts),
            media_seconds=event.media_seconds,
            waiting=todo.waiting,
        )

    async def _join(self, task: TaskDocument, epoch: int, own: Side, due: Due) -> Artefact | None:
        """A file of two pipelines' rows. None, with a log entry: theirs do not allow it.

        The task's own result is whole without it, so nothing that is wrong with it may take that down.
        """
        try:
            other = await side_of(due.partner, self._objects, self._chunks)
            owner, partner = (own, other) if due.ours else (other, own)
            spec, rows = with_partner(due.spec, partner), joined_rows(self._chunks, owner, partner)
            return await self._store(task, epoch, spec, owner.provenance, rows)
        except (MissingChunksError, ObjectNotFoundError, LookupError, TypeError, ValueError) as error:
            facts = {"task_id": task.id, "with_task": due.partner.id, "suffix": due.spec.suffix}
            log.warning("joined file left out", **facts, reason=f"{type(error).__name__}: {error}")
            return None

    async def _store(
        self, task: TaskDocument, epoch: int, spec: ArtefactSpec, provenance: Provenance, rows: Rows
    ) -> Artefact:
        filename = f"{task.media.stem}{spec.suffix}"
        key = f"{layout.results_of_epoch(task.job_id, task.pipeline, epoch)}artefact{spec.suffix}"
        with tempfile.NamedTemporaryFile(dir=self._scratch_dir, prefix="frameloom-") as file:
            done = await assemble(spec, provenance, rows, file)
            file.flush()
            await self._objects.put_file(key, Path(file.name), spec.media_type)
        return Artefact(
            key=key,
            filename=filename,
            format=spec.format,
            media_type=spec.media_type,
            size_bytes=done.size_bytes,
            sha256=done.sha256,
            crc32=done.crc32,
            annotation_count=done.annotation_count,
        )

    async def _fail(self, task: TaskDocument, event: AnnotationsFinished, error: MissingChunksError) -> None:
        failure = Failure(category=FailureCategory.WORKER_PROTOCOL, message=f"{error.message}.")
        decide = partial(self._machine.fail, failure=failure, epoch=event.epoch, now=self._clock.now())
        try:
            after = await transact(self._tasks, task.id, decide)
        except (Refused, NotFoundError):
            return
        log.warning("chunks missing", task_id=task.id, epoch=event.epoch, **(error.detail or {}))
        await self._changed(after)

    async def _left_behind(self, task: TaskDocument | None, event: AnnotationsFinished) -> None:
        """Another epoch, a cancel or a repeated delivery was first: only what is not visible goes."""
        if task is not None and task.result is not None and task.result.epoch == event.epoch:
            return  # its chunks too stay until the job is over: a stitch, or another pipeline, may need them
        await self._chunks.delete(layout.chunks_of_epoch(event.job_id, event.task_id, event.epoch))
        if task is None or task.segment is None:  # a segment has no files: those there are of its pipeline
            pipeline = event.provenance.pipeline if task is None else task.pipeline
            prefix = layout.results_of_epoch(event.job_id, pipeline, event.epoch)
            await self._objects.delete(await self._objects.keys(prefix))
        if task is None:
            log.info(
                "what was deleted removed", job_id=event.job_id, task_id=event.task_id, epoch=event.epoch
            )
            return
        if task.epoch == event.epoch and task.cancel_requested and not task.state.terminal:
            await self._cancel(task)
        log.info("stale epoch removed", task_id=task.id, epoch=event.epoch, current=task.epoch)

    async def _cancel(self, task: TaskDocument) -> None:
        """The work was over before the cancel reached the worker; nobody else will end the task."""
        decide = partial(self._machine.cancel, epoch=task.epoch, now=self._clock.now())
        try:
            after = await transact(self._tasks, task.id, decide)
        except (Refused, NotFoundError):
            return
        await self._changed(after)

    async def _changed(self, task: TaskDocument) -> None:
        await self._publisher.publish(TaskChanged.of(task), self._topic)


def _of_segment(event: AnnotationsFinished) -> TaskResult:
    """Its rows are the result: nothing is assembled until they are stitched."""
    return TaskResult(
        epoch=event.epoch,
        manifest_key="",
        artefacts=(),
        annotation_count=0,
        media_seconds=event.media_seconds,
        chunks=event.chunks,
    )
