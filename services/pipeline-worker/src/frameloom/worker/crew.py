"""The attempts that share one run of a slot's child, and the conversation with it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from frameloom.common.background import cancelled
from frameloom.worker.attempt import Attempt
from frameloom.worker.child.process import ChildDiedError, ChildProcess
from frameloom.worker.child.protocol import Chunk, Done, Drop, Dropped, Failed, Member, Progressed, Run, Warm
from frameloom.worker.errors import TaskError
from frameloom.worker.materials import Materials
from frameloom.worker.slots import Slot

_DROP_SECONDS = 5.0
"""A child that does not let go of one member within this is in native code, and is ended for all."""
log = structlog.get_logger(__name__)


class GivenBackError(Exception):
    """The child had to be ended because of another member of the crew."""


class Crew:
    """Attempts of one job over one media file, which is fetched and decoded once for all of them.

    Args:
        attempts: The first one leads: its task came with the message.
        slot: Whose child works for them.
        materials: Where the file comes from, or the segments to be stitched.
        send_chunk: Publishes what an attempt has found.
        tell_progress: Publishes how far it is; best effort.
    """

    def __init__(
        self,
        attempts: Sequence[Attempt],
        slot: Slot,
        materials: Materials,
        send_chunk: Callable[[Attempt, Chunk], Awaitable[None]],
        tell_progress: Callable[[Attempt, Progressed], None],
    ) -> None:
        self._attempts = {attempt.task.id: attempt for attempt in attempts}
        self._slot = slot
        self._materials = materials
        self._send_chunk = send_chunk
        self._tell_progress = tell_progress
        self._child: ChildProcess | None = None
        self._talk: asyncio.Task[None] | None = None
        self._ending = False

    def start(self) -> None:
        """Sets the child to work; every attempt's end comes to it."""
        leader = next(iter(self._attempts.values())).task
        self._talk = asyncio.create_task(self._talked(), name=f"work {leader.id}")

    async def leave(self, attempt: Attempt) -> None:
        """When this returns the child does no more for the attempt. The others go on if that can be had."""
        attempt.leaving = True
        if self._child is not None and any(other.active for other in self._attempts.values()):
            try:
                async with asyncio.timeout(_DROP_SECONDS):
                    await self._child.send(Drop(member=attempt.task.id))
                    await attempt.let_go.wait()
            except (TimeoutError, ChildDiedError):
                log.warning("child does not let go", task_id=attempt.task.id)
            else:
                return
        await self.end(GivenBackError())

    async def end(self, why: Exception | None = None) -> None:
        """Ends the conversation, and with it a child that is still at work. Repeated: nothing.

        Args:
            why: What those that counted on the child are told; None: they ask no more.
        """
        self._ending = True
        if any(not attempt.let_go.is_set() for attempt in self._attempts.values()):
            # One that works on would send what it finds to the slot's next task.
            await self._slot.reset()
        if self._talk is not None:
            await cancelled(self._talk)  # afterwards, since what it waits for may take its time to let go
        if why is not None:
            self._end_all(why)

    def _end_all(self, why: Exception) -> None:
        for attempt in self._attempts.values():
            attempt.end(why)

    async def _talked(self) -> None:
        try:
            await self._converse()
        except Exception as error:  # noqa: BLE001 - whatever it is, each attempt tells it
            if self._ending:
                return  # the child was ended on purpose
            if not isinstance(error, ChildDiedError) and self._child is not None:
                await self._slot.reset()
            self._end_all(error)

    async def _converse(self) -> None:
        members = [
            Member(id=key, pipeline=attempt.task.pipeline, config=attempt.task.config)
            for key, attempt in self._attempts.items()
        ]
        leader = next(iter(self._attempts.values())).task
        async with self._materials.held(leader) as path:
            child = self._child = await self._slot.child()
            await child.send(
                Run(
                    members=tuple(members),
                    path=str(path),
                    stem=leader.media.stem,
                    segment=leader.segment,
                    stitch=bool(leader.waits_for),
                )
            )
            while not all(attempt.let_go.is_set() for attempt in self._attempts.values()):
                reply = await child.receive()
                if isinstance(reply, Warm):
                    self._slot.warm = reply
                elif isinstance(reply, Chunk | Progressed | Done | Failed | Dropped):
                    await self._take(self._attempts[reply.member], reply)

    async def _take(self, attempt: Attempt, reply: Chunk | Progressed | Done | Failed | Dropped) -> None:
        if isinstance(reply, Dropped):
            attempt.let_go.set()
        elif isinstance(reply, Failed):
            attempt.end(TaskError(reply.category, reply.message))
        elif isinstance(reply, Done):
            attempt.end(reply)
        elif attempt.leaving:
            return
        elif isinstance(reply, Chunk):
            await self._send_chunk(attempt, reply)
        else:
            attempt.lease.progress = reply.progress
            self._tell_progress(attempt, reply)
