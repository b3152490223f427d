"""What the worker's slots do and have done, for the fleet to see."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from frameloom.common.clock import Clock
from frameloom.common.documents import Outcome, TaskDocument
from frameloom.common.documents.facts import (
    GpuFacts,
    SlotFacts,
    SlotState,
    WorkerFacts,
    WorkTally,
)
from frameloom.common.host import Usage
from frameloom.worker.slots import Slot


@dataclass(frozen=True, slots=True)
class Sample:
    """What only a sampling thread may ask for.

    Attributes:
        gpus: Of this machine.
        children: What each child process uses, by process id.
    """

    gpus: tuple[GpuFacts, ...] = ()
    children: Mapping[int, Usage] | None = None


@dataclass(frozen=True, slots=True)
class _Work:
    task: TaskDocument
    since: datetime


class WorkBook:
    """Keeps the books of one worker.

    Attributes:
        changed: Called after every entry; returns at once.
        unavailable: Pipelines that can not run here, with the reason.
    """

    def __init__(self, slots: Sequence[Slot], clock: Clock) -> None:
        self.changed: Callable[[], None] = _nobody
        self.unavailable: Mapping[str, str] = {}
        self._slots = tuple(slots)
        self._clock = clock
        self._busy: dict[int, _Work] = {}
        self._tallies: dict[str, WorkTally] = defaultdict(WorkTally)

    def began(self, slot: Slot, task: TaskDocument) -> None:
        """A slot has taken a task."""
        self._busy[id(slot)] = _Work(task, self._clock.now())
        self.changed()

    def ended(self, slot: Slot, outcome: Outcome | None) -> None:
        """A slot is free again. None: its task was lost to another, or the outcome could not be written."""
        work = self._busy.pop(id(slot))
        seconds = (self._clock.now() - work.since).total_seconds()
        self._tallies[work.task.pipeline] = _counted(self._tallies[work.task.pipeline], outcome, seconds)
        self.changed()

    def pids(self) -> list[int]:
        """Of the children that live."""
        return [pid for slot in self._slots if (pid := slot.pid) is not None]

    def facts(self, sample: Sample) -> WorkerFacts:
        """Everything, as of now."""
        return WorkerFacts(
            slots=tuple(self._slot(slot, sample) for slot in self._slots),
            gpus=sample.gpus,
            unavailable=dict(self.unavailable),
            work=dict(self._tallies),
        )

    def _slot(self, slot: Slot, sample: Sample) -> SlotFacts:
        work, pid, warm = self._busy.get(id(slot)), slot.pid, slot.warm
        usage = (sample.children or {}).get(pid) if pid is not None else None
        task = work.task if work else None
        idle = SlotState.IDLE if slot.ready else SlotState.STARTING
        return SlotFacts(
            state=SlotState.BUSY if work else idle,
            pid=pid,
            rss_bytes=usage.rss_bytes if usage else None,
            cpu_percent=usage.cpu_percent if usage else None,
            started_in_seconds=slot.started_in_seconds,
            task_id=task.id if task else None,
            job_id=task.job_id if task else None,
            tenant=task.tenant if task else None,
            pipeline=task.pipeline if task else None,
            busy_since=work.since if work else None,
            warm_pipelines=warm.pipelines if warm else (),
            models=warm.models if warm else (),
            cuda=warm.cuda if warm else None,
        )


def _counted(tally: WorkTally, outcome: Outcome | None, seconds: float) -> WorkTally:
    match outcome:
        case Outcome.COMPLETED:
            changes = {"completed": tally.completed + 1, "seconds": tally.seconds + seconds}
        case Outcome.FAILED:
            changes = {"failed": tally.failed + 1}
        case Outcome.CANCELLED:
            changes = {"cancelled": tally.cancelled + 1}
        case Outcome.RELEASED:
            changes = {"released": tally.released + 1}
        case _:
            changes = {"lost": tally.lost + 1}
    return tally.model_copy(update=changes)


def _nobody() -> None:
    pass
