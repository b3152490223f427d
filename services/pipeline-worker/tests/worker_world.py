"""The worker's parts over stores in memory, and a child that follows a script."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from frameloom.common.adapters.memory import MemoryObjectStore, MemoryPublisher, MemoryTaskStore
from frameloom.common.clock import Clock, ManualClock
from frameloom.common.documents import FailureCategory, MediaRef, TaskDocument
from frameloom.common.errors import DatabaseUnavailableError
from frameloom.common.events import AnnotationChunk, AnnotationsFinished, Event, TaskDispatched
from frameloom.common.machines.retry import RetryPolicy
from frameloom.common.machines.task import TaskMachine
from frameloom.common.machines.transition import Change
from frameloom.common.pipelines import ArtefactSpec, Item, Progress
from frameloom.common.topics import Topics
from frameloom.worker.child.protocol import Chunk, Done, Drop, Dropped, Failed, Progressed, Request, Run
from frameloom.worker.claims import Claims
from frameloom.worker.control import Control
from frameloom.worker.execution import Execution
from frameloom.worker.materials import Materials
from frameloom.worker.media_cache import MediaCache


async def until(holds: Callable[[], bool], seconds: float = 60.0) -> None:
    """Returns when it is true: for what tells nobody of its changes, such as files and processes."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.005)


class FlakyTaskStore(MemoryTaskStore):
    """A task store that can be switched off, and that tells of its writes."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.away = False
        self._written = asyncio.Condition()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Returns when a write has made it true."""
        async with asyncio.timeout(10), self._written:
            await self._written.wait_for(holds)

    async def get(self, key: str) -> TaskDocument | None:
        if self.away:
            raise DatabaseUnavailableError("away")
        return await super().get(key)

    async def apply(self, change: Change[TaskDocument]) -> TaskDocument | None:
        if self.away:
            raise DatabaseUnavailableError("away")
        after = await super().apply(change)
        async with self._written:
            self._written.notify_all()
        return after


class HookedPublisher(MemoryPublisher):
    """Calls a hook before it takes an event; the hook may wait or raise."""

    def __init__(self) -> None:
        super().__init__()
        self.hook: Callable[[Event], Any] | None = None

    async def publish(self, event: Event, topic: str, *, partition: int | None = None) -> None:
        if self.hook is not None:
            await self.hook(event)
        await super().publish(event, topic, partition=partition)


class World:
    """One worker."""

    def __init__(self, folder: Path, lease_seconds: float = 30.0) -> None:
        self.clock = ManualClock()
        self.tasks = FlakyTaskStore(self.clock)
        self.objects = MemoryObjectStore()
        self.publisher = HookedPublisher()
        self.topics = Topics("x")
        self.machine = TaskMachine(RetryPolicy(jitter=lambda: 1.0), lease_seconds, 60.0)
        self.claims = self.claims_of("me")
        self.cache = MediaCache(self.objects, folder / "cache", 10**9)
        self.materials = Materials(self.cache, self.objects, folder / "stitches")
        self.control = Control()
        self.execution = Execution(
            self.claims, self.control, self.materials, self.publisher, self.topics, "me", 3600.0, self.clock
        )

    def claims_of(self, worker: str) -> Claims:
        return Claims(self.tasks, self.publisher, "wake", self.machine, worker, self.clock)

    def queued(self, task_id: str = "t", **more: object) -> TaskDispatched:
        """Puts a queued task there; its message."""
        body = f"media of {task_id}".encode()
        media = self.media(task_id, body)
        fields = {
            "id": task_id,
            "job_id": f"job of {task_id}",
            "tenant": "x",
            "pipeline": "a",
            "media": media,
            "created_at": self.clock.now(),
            **more,
        }
        task = TaskDocument.model_validate(fields)
        self.tasks.held[task_id] = task
        return TaskDispatched(task_id=task_id, job_id=task.job_id, pipeline="a", attempt=task.attempt)

    def media(self, name: str, body: bytes) -> MediaRef:
        key = f"media/{name}"
        self.objects.held[key] = (body, "video/mp4")
        return MediaRef(
            key=key, filename=f"{name}.mp4", size_bytes=len(body), sha256=sha256(body).hexdigest()
        )

    async def claimed(self, task_id: str = "t", **more: object) -> TaskDocument:
        task = await self.claims.claim(self.queued(task_id, **more))
        assert task is not None
        return task

    def task(self, task_id: str = "t") -> TaskDocument:
        return self.tasks.held[task_id]

    def chunks(self, task_id: str = "t") -> list[AnnotationChunk]:
        sent = self.publisher.on(self.topics.annotations)
        return [e for e in sent if isinstance(e, AnnotationChunk) and e.task_id == task_id]

    def ends(self) -> list[AnnotationsFinished]:
        return [e for e in self.publisher.on(self.topics.annotations) if isinstance(e, AnnotationsFinished)]


LEADER = "the first member"
"""In a script, stands for the id of the run's first member."""


def chunk(*numbers: int, member: str = LEADER) -> Chunk:
    items = tuple(Item(list="annotations", row={"n": n}) for n in numbers)
    return Chunk(member=member, start_seconds=0, end_seconds=1, items=items)


def progressed(fraction: float, member: str = LEADER) -> Progressed:
    return Progressed(member=member, progress=Progress(stage="annotating", fraction=fraction))


def failed(category: FailureCategory, message: str, member: str = LEADER) -> Failed:
    return Failed(member=member, category=category, message=message)


DONE = Done(
    member=LEADER,
    frames=1,
    media_seconds=1,
    decoder="d",
    models={},
    pipeline_version="1",
    config={"filled": 1},
    artefacts=(ArtefactSpec(suffix="_a.json"),),
)


class ScriptedChild:
    """Answers a run with a script of replies; an exception in it is raised, an event is waited for.

    Drops are answered at once, unless it is ``deaf``.
    """

    def __init__(self, script: list[Any]) -> None:
        self._script = script
        self._left: list[Any] = []
        self.runs: list[Run] = []
        self.drops: list[str] = []
        self.deaf = False
        self.asked = asyncio.Event()
        self._heard: asyncio.Queue[Dropped] = asyncio.Queue()

    async def send(self, message: Request) -> None:
        if isinstance(message, Drop):
            self.drops.append(message.member)
            if not self.deaf:
                self._heard.put_nowait(Dropped(member=message.member))
            return
        assert isinstance(message, Run)
        self.runs.append(message)
        leader = message.members[0].id
        self._left += [
            step.model_copy(update={"member": leader}) if getattr(step, "member", "") == LEADER else step
            for step in self._script
        ]
        self.asked.set()

    async def receive(self) -> Any:
        heard = asyncio.ensure_future(self._heard.get())
        next_step = asyncio.ensure_future(self._step())
        try:
            done, _ = await asyncio.wait({heard, next_step}, return_when=asyncio.FIRST_COMPLETED)
            return (heard if heard in done else next_step).result()
        finally:
            heard.cancel()
            next_step.cancel()

    async def _step(self) -> Any:
        while True:
            if not self._left:
                await asyncio.Event().wait()
            step = self._left[0]
            if isinstance(step, asyncio.Event):
                await step.wait()
            self._left.pop(0)
            if isinstance(step, BaseException):
                raise step
            if not isinstance(step, asyncio.Event):
                return step


class ScriptedSlot:
    """A slot whose children follow scripts, one script per child."""

    def __init__(self, *scripts: list[Any]) -> None:
        self._scripts = list(scripts)
        self.current: ScriptedChild | None = None
        self.children: list[ScriptedChild] = []
        self.resets = 0
        self.failure: BaseException | None = None
        self.ready = True

    async def child(self) -> ScriptedChild:
        if self.failure is not None:
            raise self.failure
        if self.current is None:
            self.current = ScriptedChild(self._scripts.pop(0))
            self.children.append(self.current)
        return self.current

    async def reset(self) -> None:
        self.resets += 1
        self.current = None
