"""Keeps a claimed task's lease alive, and says when the work must stop."""

from __future__ import annotations

import asyncio
from enum import StrEnum

import structlog

from frameloom.common.background import set_within
from frameloom.common.documents import TaskDocument
from frameloom.common.errors import TransientError
from frameloom.common.pipelines import Progress
from frameloom.worker.claims import Claims

log = structlog.get_logger(__name__)
_RENEWALS_PER_LEASE = 3
_HOLD_SHARE = 2 / 3
_AGAIN_SECONDS = 0.2


class Stop(StrEnum):
    """Why the work on a task must stop before its end."""

    LOST = "lost"
    """The task is another's now, or may be: nothing more may be written."""
    CANCELLED = "cancelled"
    DEADLINE = "deadline"


class Lease:
    """One claimed task's lease.

    Attributes:
        progress: Carried by the next renewal.
    """

    def __init__(self, claims: Claims, task: TaskDocument, deadline_seconds: float) -> None:
        self._claims = claims
        self._task = task
        self._deadline_seconds = deadline_seconds
        self._asked = asyncio.Event()
        self.progress: Progress | None = None

    def check(self) -> None:
        """Brings the next renewal forward: its answer may say that the work must stop. Returns at once."""
        self._asked.set()

    async def kept(self) -> Stop:
        """Renews until the work must stop, and answers why. Cancel it when the work is done.

        A holder that can not renew stops at two thirds of the lease: later another may have the task.
        """
        loop = asyncio.get_running_loop()
        began = held_since = loop.time()
        seconds = self._claims.lease_seconds
        pause = seconds / _RENEWALS_PER_LEASE
        while True:
            left = began + self._deadline_seconds - loop.time()
            if left <= 0:
                return Stop.DEADLINE
            await set_within(self._asked, min(pause, left))
            self._asked.clear()
            asked_at = loop.time()
            try:
                async with asyncio.timeout_at(held_since + seconds * _HOLD_SHARE):
                    after = await self._claims.renew(self._task, self.progress)
            except (TransientError, TimeoutError) as error:
                log.warning("lease not renewed", task_id=self._task.id, reason=str(error))
                if loop.time() >= held_since + seconds * _HOLD_SHARE:
                    return Stop.LOST
                pause = _AGAIN_SECONDS
                continue
            if after is None:
                return Stop.LOST
            if after.cancel_requested:
                return Stop.CANCELLED
            held_since, pause = asked_at, seconds / _RENEWALS_PER_LEASE
