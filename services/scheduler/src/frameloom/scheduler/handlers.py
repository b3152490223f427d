"""What wakes the scheduler. Events are hints: the documents are read anew."""

from __future__ import annotations

from frameloom.common.events import Event, JobEventMessage, TaskChanged
from frameloom.scheduler.canceller import Canceller
from frameloom.scheduler.dispatcher import Dispatcher
from frameloom.scheduler.folder import Folder
from frameloom.scheduler.planner import Planner


class Handlers:
    """The scheduler's consumers."""

    def __init__(
        self, planner: Planner, canceller: Canceller, folder: Folder, dispatcher: Dispatcher
    ) -> None:
        self._planner = planner
        self._canceller = canceller
        self._folder = folder
        self._dispatcher = dispatcher

    async def on_job_event(self, event: Event) -> None:
        """A job was submitted, cancelled or deleted; the rest of the feed is our own news."""
        if not isinstance(event, JobEventMessage):
            return
        if event.type == "job.submitted":
            if await self._planner.plan(event.job_id):
                self._dispatcher.wake()
        elif event.type in {"job.cancelled", "job.deleted"}:
            await self._canceller.cancel_if_over(event.job_id)
            await self._folder.fold(event.job_id)

    async def on_task_changed(self, event: Event) -> None:
        """A task was claimed, handed over, ended or queued again."""
        if isinstance(event, TaskChanged):
            self._dispatcher.wake()
            if await self._folder.fold(event.job_id):
                self._dispatcher.wake()
