"""One claimed task on its way through a slot, which it may share with other tasks of its job."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import datetime

from frameloom.common.documents import TaskDocument
from frameloom.worker.child.protocol import Done
from frameloom.worker.lease import Lease


class Attempt:
    """What one attempt keeps while it runs.

    Attributes:
        task: As it was claimed.
        lease: Of the claim.
        started_at: When it was taken up.
        chunks: How many were published.
        ended: What the child said of its end, or what ended it otherwise.
        let_go: The child does no more for it.
        leaving: It is stopped from outside; what the child still says of it is passed over.
    """

    def __init__(self, task: TaskDocument, lease: Lease, started_at: datetime) -> None:
        self.task = task
        self.lease = lease
        self.started_at = started_at
        self.chunks = 0
        self.ended: asyncio.Future[Done] = asyncio.get_running_loop().create_future()
        self.let_go = asyncio.Event()
        self.leaving = False
        self._telling: asyncio.Task[None] | None = None

    @property
    def active(self) -> bool:
        """Whether it counts on the child."""
        return not self.let_go.is_set() and not self.leaving

    def end(self, end: Done | Exception) -> None:
        """Ends its run, once; the child does no more for it."""
        self.let_go.set()
        if self.ended.done():
            return
        if isinstance(end, Exception):
            self.ended.set_exception(end)
            self.ended.exception()  # taken: one that is stopped from outside never asks for it
        else:
            self.ended.set_result(end)

    def tell(self, telling: Coroutine[None, None, None]) -> None:
        """Sends telemetry beside the work; passes over what comes while one is under way."""
        if self._telling is not None and not self._telling.done():
            telling.close()
            return
        self._telling = asyncio.create_task(telling)
