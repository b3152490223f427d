"""Files made of two pipelines' rows: which are due when a task ends, and where their rows come from.

The ends of a job's tasks are handled one after the other (their messages have the job as key), so who comes
second sees what the first has shown, and the file belongs to the second one's result: it shows with it or not
at all. Its bytes are the same whichever that is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from frameloom.common.documents import TaskDocument, TaskState
from frameloom.common.events import Provenance
from frameloom.common.pipelines import ArtefactSpec
from frameloom.common.ports.objects import ObjectStore
from frameloom.results.chunks import ChunkStore
from frameloom.results.formats.base import Rows
from frameloom.results.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two results.

    Attributes:
        pipeline: Whose it is.
        keys: Of its chunks, in order.
        provenance: Where its rows come from.
    """

    pipeline: str
    keys: list[str]
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class Due:
    """A file that can be written now.

    Attributes:
        spec: What it is to be.
        partner: The other task, which has a result.
        ours: Whether the spec is of the task that ends, or the partner's.
    """

    spec: ArtefactSpec
    partner: TaskDocument
    ours: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do with the files of a task that ends.

    Attributes:
        alone: Those that need nobody else's rows.
        due: Those of two pipelines whose other one has its result.
        waiting: Those whose other one may still bring one.
    """

    alone: tuple[ArtefactSpec, ...]
    due: tuple[Due, ...]
    waiting: tuple[ArtefactSpec, ...]


def plan(task: TaskDocument, specs: Sequence[ArtefactSpec], tasks: Sequence[TaskDocument]) -> Plan:
    """Sorts the files of a task that ends by what they need. Pure.

    Args:
        task: It.
        specs: Its files.
        tasks: All tasks of the job.
    """
    others = {other.pipeline: other for other in tasks if other.id != task.id and other.segment is None}
    due, waiting = [], []
    for spec in specs:
        partner = others.get(spec.joins) if spec.joins is not None else None
        if partner is None:
            continue
        if _has_result(partner):
            due.append(Due(spec, partner, ours=True))
        elif not partner.state.terminal:
            waiting.append(spec)
    for partner in others.values():
        if partner.result is not None and _has_result(partner):
            theirs = (spec for spec in partner.result.waiting if spec.joins == task.pipeline)
            due.extend(Due(spec, partner, ours=False) for spec in theirs)
    return Plan(tuple(spec for spec in specs if spec.joins is None), tuple(due), tuple(waiting))


async def side_of(task: TaskDocument, objects: ObjectStore, chunks: ChunkStore) -> Side:
    """The result that a task has, from what lies in the bucket.

    Raises:
        ObjectNotFoundError: Its manifest is gone.
    """
    assert task.result is not None
    body = b"".join([block async for block in objects.read(task.result.manifest_key)])
    keys = await chunks.present(task.job_id, task.id, task.result.epoch)
    return Side(task.pipeline, keys, Manifest.model_validate_json(body).provenance)


def joined_rows(chunks: ChunkStore, owner: Side, other: Side) -> Rows:
    """The owner's lists under their names, the other's under its pipeline's and a slash."""
    prefix = f"{other.pipeline}/"

    def rows(name: str) -> AsyncIterator[list[bytes]]:
        if name.startswith(prefix):
            return chunks.rows(other.keys, name.removeprefix(prefix))
        return chunks.rows(owner.keys, name)

    return rows


def with_partner(spec: ArtefactSpec, other: Side) -> ArtefactSpec:
    """The spec, telling in the file where the other's rows come from."""
    told = {f"{other.pipeline}_provenance": other.provenance.model_dump(mode="json")}
    return spec.model_copy(update={"head": {**spec.head, "info": {**spec.head.get("info", {}), **told}}})


def _has_result(task: TaskDocument) -> bool:
    return task.state is TaskState.COMPLETED and task.result is not None
