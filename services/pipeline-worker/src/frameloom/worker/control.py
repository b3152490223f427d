"""Hints from outside to the tasks that run here: look at your document now.

Every worker reads the whole control topic. A hint can do no more than bring a renewal forward: what is to be
done stands in the task's document.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

from frameloom.common.documents import TaskDocument
from frameloom.common.events import Event, TaskCancelRequested
from frameloom.worker.lease import Lease

_REMEMBERED = 1000
_Claim = tuple[str, int]


class Control:
    """Brings hints to the leases they are for."""

    def __init__(self) -> None:
        self._leases: dict[_Claim, Lease] = {}
        self._early: OrderedDict[_Claim, None] = OrderedDict()

    async def handle(self, event: Event) -> None:
        """Takes a hint; one for a task that is not held here is kept: its lease may be about to begin."""
        if not isinstance(event, TaskCancelRequested):
            return
        claim = (event.task_id, event.epoch)
        if (lease := self._leases.get(claim)) is not None:
            lease.check()
            return
        self._early[claim] = None
        if len(self._early) > _REMEMBERED:
            self._early.popitem(last=False)

    @contextmanager
    def reaching(self, task: TaskDocument, lease: Lease) -> Iterator[None]:
        """While the block runs, hints for this claim reach its lease; also one that came just before."""
        claim = (task.id, task.epoch)
        self._leases[claim] = lease
        if claim in self._early:
            del self._early[claim]
            lease.check()
        try:
            yield
        finally:
            del self._leases[claim]
