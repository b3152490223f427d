"""The slots of a worker: each runs one task at a time in a child process that is kept warm between tasks."""

from __future__ import annotations

import asyncio
import time

import structlog

from frameloom.common.documents import FailureCategory, PipelineOffer
from frameloom.worker.child.process import ChildDiedError, ChildProcess
from frameloom.worker.child.protocol import Describe, Description, Warm
from frameloom.worker.errors import TaskError

log = structlog.get_logger(__name__)


class Slot:
    """One child process, started when first wanted and again after its end.

    Attributes:
        offers: What the child can run.
        versions: Of what the child has imported.
        warm: What the child keeps between tasks, as it told last; None: nothing yet.
        started_in_seconds: How long the child took to be ready.
    """

    def __init__(self, extra_pipelines: tuple[str, ...], start_seconds: float) -> None:
        self._extra = extra_pipelines
        self._start_seconds = start_seconds
        self._child: ChildProcess | None = None
        self.offers: tuple[PipelineOffer, ...] = ()
        self.versions: dict[str, str] = {}
        self.warm: Warm | None = None
        self.started_in_seconds: float | None = None

    @property
    def ready(self) -> bool:
        """Whether its child can take a task at once."""
        return self._child is not None and self._child.alive

    @property
    def pid(self) -> int | None:
        """Of its child, if one lives."""
        return self._child.pid if self._child is not None and self._child.alive else None

    async def child(self) -> ChildProcess:
        """A child that is ready.

        Raises:
            TaskError: It could not be started (``worker_crash``).
        """
        if self._child is not None and self._child.alive:
            return self._child
        await self.reset()
        began = time.monotonic()
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
        self.offers, self.versions = reply.offers, reply.versions
        self.started_in_seconds = round(time.monotonic() - began, 3)
        self._child = child
        log.info("child ready", pid=child.pid, pipelines=[offer.id for offer in self.offers])
        return child

    async def reset(self) -> None:
        """Ends the child, and with it whatever it was doing."""
        child, self._child = self._child, None
        self.warm = self.started_in_seconds = None
        if child is not None:
            await child.kill()


def _not_started() -> TaskError:
    return TaskError(FailureCategory.WORKER_CRASH, "The process for the pipelines could not be started.")
