"""The slots of a worker: each runs one task at a time in a child process that is kept warm between tasks."""

from __future__ import annotations

import asyncio

import structlog

from frameloom.common.documents import FailureCategory, PipelineOffer
from frameloom.worker.child.process import ChildDiedError, ChildProcess
from frameloom.worker.child.protocol import Describe, Description
from frameloom.worker.errors import TaskError

log = structlog.get_logger(__name__)


class Slot:
    """One child process, started when first wanted and again after its end."""

    def __init__(self, extra_pipelines: tuple[str, ...], start_seconds: float) -> None:
        self._extra = extra_pipelines
        self._start_seconds = start_seconds
        self._child: ChildProcess | None = None
        self.offers: tuple[PipelineOffer, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether its child can take a task at once."""
        return self._child is not None and self._child.alive

    async def child(self) -> ChildProcess:
        """A child that is ready.

        Raises:
            TaskError: It could not be started (``worker_crash``).
        """
        if self._child is not None and self._child.alive:
            return self._child
        await self.reset()
        try:
            child = await ChildProcess.start()
        except OSError as error:
            raise _not_started() from error
        try:
            async with asyncio.timeout(self._start_seconds):
                await child.send(Describe(extra_pipelines=self._extra))
                reply = await child.receive()
        except (ChildDiedError, TimeoutError) as error:
            await child.kill()
            raise _not_started() from error
        except BaseException:
            await child.kill()
            raise
        assert isinstance(reply, Description)
        self.offers = reply.offers
        self._child = child
        log.info("child ready", pid=child.pid, pipelines=[offer.id for offer in self.offers])
        return child

    async def reset(self) -> None:
        """Ends the child, and with it whatever it was doing."""
        child, self._child = self._child, None
        if child is not None:
            await child.kill()


def _not_started() -> TaskError:
    return TaskError(FailureCategory.WORKER_CRASH, "The process for the pipelines could not be started.")
