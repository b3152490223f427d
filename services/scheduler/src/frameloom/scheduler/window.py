"""The dispatch window: which waiting tasks are published now, and to which partition. Pure.

Kafka holds only a few tasks per pipeline, so that what is urgent overtakes what is merely old and a cancelled
task costs nothing. The order in the queue is: priority, then the tenant that runs least, then age.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from frameloom.common.documents import FleetMember, Liveness, Service, TaskDocument

_MOST_REDISPATCH_DOUBLINGS = 4


@dataclass(frozen=True, slots=True)
class Capacity:
    """What the live workers of one pipeline can take.

    Attributes:
        slots: In all.
        free: Not running anything.
        partitions: Of the pipeline's topic, by worker id, with how many slots that worker has free.
    """

    slots: int
    free: int
    partitions: Mapping[str, tuple[int, tuple[int, ...]]]

    @property
    def window(self) -> int:
        """How many messages may be out and unclaimed: twice the free slots, and one per slot at least.

        The latter keeps the next task at hand when a slot falls free.
        """
        return max(2 * self.free, self.slots)

    def left(self, unclaimed: int) -> int:
        """How many more messages fit beside so many that are out and unclaimed."""
        return max(0, self.window - unclaimed)


@dataclass(frozen=True, slots=True)
class Dispatch:
    """A task to publish, and the partition if one is known to be read by a worker with room."""

    task: TaskDocument
    partition: int | None


def capacity(pipeline: str, topic: str, fleet: Iterable[FleetMember], running: Mapping[str, int]) -> Capacity:
    """The capacity for a pipeline, from the announcements and from what each worker runs."""
    slots = free = 0
    partitions: dict[str, tuple[int, tuple[int, ...]]] = {}
    for member in fleet:
        if member.service is not Service.WORKER or member.liveness is not Liveness.HEALTHY:
            continue
        if pipeline not in member.pipelines:
            continue
        room = max(0, member.slots - running.get(member.id, 0))
        slots += member.slots
        free += room
        if owned := member.assignment.get(topic, ()):
            partitions[member.id] = (room, owned)
    return Capacity(slots, free, partitions)


def choose(
    waiting: Sequence[TaskDocument],
    unclaimed: Sequence[TaskDocument],
    running_by_tenant: Mapping[str, int],
    room: Capacity,
    pick: Callable[[Sequence[int]], int],
) -> list[Dispatch]:
    """The tasks to publish now, in order.

    Args:
        waiting: Eligible tasks that are not out yet.
        unclaimed: Tasks that are out and not claimed: they fill the window and their tenant's share.
        running_by_tenant: How much each tenant has running already.
        room: What the workers can take.
        pick: Chooses one of several partitions of a worker.
    """
    count = min(len(waiting), room.left(len(unclaimed)))
    shares = Counter(running_by_tenant)
    shares.update(task.tenant for task in unclaimed)
    load: Counter[str] = Counter()
    left = list(waiting)
    chosen: list[Dispatch] = []
    for _ in range(count):
        task = min(left, key=lambda t: (-t.priority, shares[t.tenant], t.created_at, t.id))
        left.remove(task)
        shares[task.tenant] += 1
        chosen.append(Dispatch(task, _partition(room, load, pick)))
    return chosen


def overdue(
    unclaimed: Iterable[TaskDocument],
    room: Capacity,
    after_seconds: float,
    now: datetime,
    pick: Callable[[Sequence[int]], int],
) -> list[Dispatch]:
    """Tasks whose message is out for long while a slot is free: lost, or stuck behind a busy worker.

    So each goes to a worker with room now: by its key it would come to the same partition every time.
    """
    if room.free == 0:
        return []
    load: Counter[str] = Counter()
    found = []
    for task in unclaimed:
        doublings = min(max(task.dispatches - 1, 0), _MOST_REDISPATCH_DOUBLINGS)
        wait = timedelta(seconds=after_seconds * 2**doublings)
        if task.dispatched_at is not None and now - task.dispatched_at >= wait:
            found.append(Dispatch(task, _partition(room, load, pick)))
    return found


def _partition(room: Capacity, load: Counter[str], pick: Callable[[Sequence[int]], int]) -> int | None:
    """A partition of the worker with the most room left; None when no assignment is known."""
    if not room.partitions:
        return None
    worker = max(room.partitions, key=lambda name: (room.partitions[name][0] - load[name], name))
    load[worker] += 1
    return pick(room.partitions[worker][1])
