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
    tasks: tuple[TaskDocument, ...]
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

    def began(self, slot: Slot, tasks: Sequence[TaskDocument]) -> None:
        """A slot has taken tasks that share one run; the first one leads."""
        self._busy[id(slot)] = _Work(tuple(tasks), self._clock.now())
        self.changed()

    def ended(self, slot: Slot, *outcomes: Outcome | None) -> None:
        """A slot is free again.

        Args:
            slot: Which.
            outcomes: Of each task, or one for all. None: it was lost to another, or could not be written.
        """
        work = self._busy.pop(id(slot))
        seconds = (self._clock.now() - work.since).total_seconds()
        each = outcomes if len(outcomes) > 1 else outcomes * len(work.tasks)
        for task, outcome in zip(work.tasks, each, strict=True):
            self._tallies[task.pipeline] = _counted(self._tallies[task.pipeline], outcome, seconds)
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
        task = work.tasks[0] if work else None
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
            beside=tuple(other.pipeline for other in work.tasks[1:]) if work else (),
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
