"""One attempt from the claim to the hand-over, and the intake around it: every way it may end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from worker_world import DONE, ScriptedChild, ScriptedSlot, World, chunk, failed, progressed, until

from frameloom.common.adapters.kafka import Record
from frameloom.common.adapters.kafka.consuming import ConsumerStoppedError
from frameloom.common.documents import FailureCategory, Outcome, TaskState
from frameloom.common.errors import BrokerUnavailableError, FrameloomError
from frameloom.common.events import AnnotationChunk, AnnotationsFinished, DeadLetter, Encoded, Event
from frameloom.worker import intake as intake_module
from frameloom.worker.child.process import ChildDiedError
from frameloom.worker.errors import TaskError
from frameloom.worker.intake import Worker
from frameloom.worker.workbook import WorkBook

NEVER = asyncio.Event


@pytest.fixture
async def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def asked(slot: ScriptedSlot, number: int = 0) -> ScriptedChild:
    """The slot's child, once it has been given a task."""
    await until(lambda: len(slot.children) > number)
    async with asyncio.timeout(10):
        await slot.children[number].asked.wait()
    return slot.children[number]


async def ended(running: asyncio.Task[None]) -> None:
    async with asyncio.timeout(10):
        await asyncio.wait({running})


def refusing(kind: type[Event]) -> Callable[[Event], Any]:
    async def hook(event: Event) -> None:
        if isinstance(event, kind):
            raise BrokerUnavailableError("away")

    return hook


async def test_chunks_then_the_hand_over(world: World) -> None:
    task = await world.claimed()
    slot = ScriptedSlot([chunk(1, 2), progressed(0.5), chunk(3), DONE])
    await world.execution.run([task], slot)  # type: ignore[arg-type]
    assert [c.seq for c in world.chunks()] == [0, 1]
    assert [i.row["n"] for c in world.chunks() for i in c.items] == [1, 2, 3]
    (end,) = world.ends()
    assert (end.chunks, end.epoch, end.provenance.worker, end.provenance.config) == (
        2,
        1,
        "me",
        {"filled": 1},
    )
    assert world.task().state is TaskState.FINALIZING
    assert slot.resets == 0, "the child stays warm"
    (run,) = slot.children[0].runs
    assert [member.pipeline for member in run.members] == ["a"]
    assert run.stem == "t"


async def test_what_a_pipeline_tells_of_its_failure_reaches_the_document(world: World) -> None:
    task = await world.claimed()
    slot = ScriptedSlot([chunk(1), failed(FailureCategory.DECODE_ERROR, "No picture.")])
    await world.execution.run([task], slot)  # type: ignore[arg-type]
    assert (world.task().state, world.task().failure.message) == (TaskState.FAILED, "No picture.")  # type: ignore[union-attr]
    assert slot.resets == 0
    assert world.ends() == []


async def test_a_dead_child_costs_one_attempt(world: World) -> None:
    task = await world.claimed()
    slot = ScriptedSlot([ChildDiedError(-11)])
    await world.execution.run([task], slot)  # type: ignore[arg-type]
    assert (world.task().state, world.task().attempt) == (TaskState.QUEUED, 2)
    failure = world.task().attempts[0].failure
    assert failure is not None
    assert failure.category is FailureCategory.WORKER_CRASH


async def test_a_child_that_can_not_start_costs_one_attempt(world: World) -> None:
    task = await world.claimed()
    slot = ScriptedSlot()
    slot.failure = TaskError("worker_crash", "could not be started")
    await world.execution.run([task], slot)  # type: ignore[arg-type]
    assert (world.task().state, world.task().attempt) == (TaskState.QUEUED, 2)


async def test_a_chunk_that_can_not_be_sent_does_not_leave_its_rows_to_the_next_task(world: World) -> None:
    """The child works on and would tell the next task what it finds in this one's video."""
    slot = ScriptedSlot([chunk(1), chunk(2), DONE], [chunk(7), DONE])
    first = await world.claimed("first")
    world.publisher.hook = refusing(AnnotationChunk)
    await world.execution.run([first], slot)  # type: ignore[arg-type]
    assert (world.task("first").state, world.task("first").attempt) == (TaskState.QUEUED, 2)
    world.publisher.hook = None
    second = await world.claimed("second")
    await world.execution.run([second], slot)  # type: ignore[arg-type]
    assert [i.row["n"] for c in world.chunks("second") for i in c.items] == [7]
    assert len(slot.children) == 2


async def test_an_answer_that_is_no_message_does_not_leave_a_busy_child(world: World) -> None:
    slot = ScriptedSlot([ValueError("no message")])
    await world.execution.run([await world.claimed()], slot)  # type: ignore[arg-type]
    failure = world.task().attempts[0].failure
    assert failure is not None
    assert failure.category is FailureCategory.SYSTEM
    assert slot.resets == 1


async def test_a_hand_over_that_can_not_be_told_is_tried_again_at_once(world: World) -> None:
    """The document says finalizing by then: nobody would look at it before that lease ends."""
    world.publisher.hook = refusing(AnnotationsFinished)
    await world.execution.run([await world.claimed()], ScriptedSlot([chunk(1), DONE]))  # type: ignore[arg-type]
    assert (world.task().state, world.task().attempt) == (TaskState.QUEUED, 2)


async def test_a_hand_over_slower_than_a_renewal_is_not_mistaken_for_a_lost_lease(tmp_path: Path) -> None:
    world = World(tmp_path, lease_seconds=0.15)

    async def slow(event: Event) -> None:
        if isinstance(event, AnnotationsFinished):
            await asyncio.sleep(0.4)

    world.publisher.hook = slow
    slot = ScriptedSlot([chunk(1), DONE])
    await world.execution.run([await world.claimed()], slot)  # type: ignore[arg-type]
    assert len(world.ends()) == 1
    assert (world.task().state, slot.resets) == (TaskState.FINALIZING, 0)


async def test_a_stale_holder_hands_nothing_over(world: World) -> None:
    gate = asyncio.Event()
    task = await world.claimed()
    slot = ScriptedSlot([gate, DONE])
    running = asyncio.create_task(world.execution.run([task], slot))  # type: ignore[arg-type]
    await asked(slot)
    world.tasks.held["t"] = current = task.model_copy(update={"epoch": 2, "rev": 9})
    gate.set()
    await ended(running)
    assert running.exception() is None
    assert world.ends() == []
    assert world.task() == current


async def test_a_cancel_between_claim_and_child_ends_child_and_task(tmp_path: Path) -> None:
    world = World(tmp_path, lease_seconds=0.15)
    task = await world.claimed()
    world.tasks.held["t"] = task.model_copy(update={"cancel_requested": True, "rev": task.rev + 1})
    slot = ScriptedSlot([NEVER()])
    await world.execution.run([task], slot)  # type: ignore[arg-type]
    assert world.task().state is TaskState.CANCELLED
    assert slot.current is None


async def test_a_deadline_of_the_task_ends_the_attempt(world: World) -> None:
    task = await world.claimed(deadline_seconds=0.05)
    slot = ScriptedSlot([NEVER()])
    await world.execution.run([task], slot)  # type: ignore[arg-type]
    failure = world.task().attempts[0].failure
    assert failure is not None
    assert failure.category is FailureCategory.WORKER_TIMEOUT
    assert "0.05 s" in failure.message
    assert slot.current is None


async def test_a_lost_lease_ends_the_child_and_writes_nothing(tmp_path: Path) -> None:
    world = World(tmp_path, lease_seconds=0.15)
    task = await world.claimed()
    world.tasks.held["t"] = current = task.model_copy(update={"epoch": 2, "rev": 9})
    slot = ScriptedSlot([NEVER()])
    await world.execution.run([task], slot)  # type: ignore[arg-type]
    assert world.task() == current
    assert slot.current is None


async def test_a_keeper_that_breaks_does_not_leave_the_work_running(tmp_path: Path) -> None:
    """The slot is another task's next: two readers of one child would mix their rows."""
    world = World(tmp_path, lease_seconds=0.15)
    task = await world.claimed()

    async def broken(_: object) -> None:
        raise ZeroDivisionError

    world.tasks.apply = broken  # type: ignore[method-assign, assignment]
    slot = ScriptedSlot([NEVER()])
    with pytest.raises(ZeroDivisionError):
        await world.execution.run([task], slot)  # type: ignore[arg-type]
    assert slot.current is None
    assert not [t for t in asyncio.all_tasks() if t.get_name() in {"work t", "lease t"}]


async def test_a_shutdown_gives_the_task_back(world: World) -> None:
    task = await world.claimed()
    slot = ScriptedSlot([chunk(1), NEVER()])
    running = asyncio.create_task(world.execution.run([task], slot))  # type: ignore[arg-type]
    await asked(slot)
    running.cancel()
    await ended(running)
    assert (world.task().state, world.task().attempt) == (TaskState.QUEUED, 1)
    assert world.task().attempts[0].outcome is Outcome.RELEASED
    assert slot.current is None


async def test_a_shutdown_during_the_hand_over_lets_it_come_to_its_end(world: World) -> None:
    """Cut between the document and the message, the result would wait for the long lease to run out."""
    began, gate = asyncio.Event(), asyncio.Event()

    async def slow(event: Event) -> None:
        if isinstance(event, AnnotationsFinished):
            began.set()
            await gate.wait()

    world.publisher.hook = slow
    task = await world.claimed()
    running = asyncio.create_task(world.execution.run([task], ScriptedSlot([DONE])))  # type: ignore[arg-type]
    async with asyncio.timeout(10):
        await began.wait()
    running.cancel()
    await asyncio.sleep(0)
    gate.set()
    await ended(running)
    assert len(world.ends()) == 1
    assert world.task().state is TaskState.FINALIZING


async def test_telemetry_that_can_not_be_sent_costs_nothing(world: World) -> None:
    async def hook(event: Event) -> None:
        if event.TYPE.startswith("frameloom.task-progressed"):
            raise BrokerUnavailableError("away")

    world.publisher.hook = hook
    await world.execution.run([await world.claimed()], ScriptedSlot([progressed(0.1), DONE]))  # type: ignore[arg-type]
    assert world.task().state is TaskState.FINALIZING


class ScriptedIntake:
    """Hands out records and keeps what was committed."""

    def __init__(self, *records: Record) -> None:
        self._records = list(records)
        self.committed: list[int] = []
        self.empty = asyncio.Event()
        self.room_changes = 0

    async def poll(self, timeout_seconds: float) -> list[Record]:
        if not self._records:
            self.empty.set()
            await asyncio.Event().wait()
        return [self._records.pop(0)]

    async def commit(self, record: Record) -> None:
        self.committed.append(record.offset)

    def room_changed(self) -> None:
        self.room_changes += 1


def record(event: Event, offset: int = 0) -> Record:
    encoded = Encoded.of(event, "scheduler")
    return Record("x.tasks.a", 0, offset, encoded.body, encoded.headers)


def worker(world: World, *slots: ScriptedSlot) -> Worker:
    return Worker(
        list(slots),  # type: ignore[arg-type]
        world.claims,
        world.execution,
        world.publisher,
        "dead",
        WorkBook(list(slots), world.clock),  # type: ignore[arg-type]
    )


async def taken(made: Worker, intake: ScriptedIntake) -> asyncio.Task[None]:
    """The running intake, once it has no record left."""
    taking = asyncio.create_task(made.take(intake))  # type: ignore[arg-type]
    waiting = asyncio.create_task(intake.empty.wait())
    async with asyncio.timeout(10):
        await asyncio.wait({taking, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    return taking


async def test_a_claimed_record_is_committed_while_its_task_runs(world: World) -> None:
    slot = ScriptedSlot([NEVER()])
    made = worker(world, slot)
    intake = ScriptedIntake(record(world.queued(), 5))
    taking = await taken(made, intake)
    assert (intake.committed, made.room()) == ([5], 0)
    taking.cancel()
    await made.drain(0)
    assert made.room() == 1
    assert world.task().state is TaskState.QUEUED


async def test_slots_come_back_however_their_tasks_end(world: World) -> None:
    broken = ScriptedSlot()
    broken.failure = RuntimeError("odd")
    made = worker(world, ScriptedSlot([DONE]), broken, ScriptedSlot([ChildDiedError(-9)]))
    intake = ScriptedIntake(*(record(world.queued(f"t{n}"), n) for n in range(3)))
    taking = await taken(made, intake)
    await until(lambda: made.room() == 3)
    taking.cancel()
    assert intake.room_changes == 3
    assert intake.committed == [0, 1, 2]


async def test_a_slot_comes_back_when_the_outcome_can_not_be_written(world: World) -> None:
    gate = asyncio.Event()
    slot = ScriptedSlot([gate, failed(FailureCategory.SYSTEM, "odd")])
    made = worker(world, slot)
    taking = await taken(made, ScriptedIntake(record(world.queued())))
    await asked(slot)
    world.tasks.away = True
    gate.set()
    await until(lambda: made.room() == 1)
    taking.cancel()
    assert world.task().state is TaskState.RUNNING, "its lease runs out, and the reaper knows"


async def test_a_stale_record_is_committed_and_takes_no_slot(world: World) -> None:
    message = world.queued()
    await world.claims_of("other").claim(message)
    made = worker(world, ScriptedSlot())
    intake = ScriptedIntake(record(message, 3))
    taking = await taken(made, intake)
    taking.cancel()
    assert (intake.committed, made.room()) == ([3], 1)


async def test_a_record_is_not_committed_while_the_database_is_away(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_module, "_AGAIN_SECONDS", 0.01)
    intake = ScriptedIntake(record(world.queued(), 4))
    made = worker(world, ScriptedSlot([NEVER()]))
    world.tasks.away = True
    taking = asyncio.create_task(made.take(intake))  # type: ignore[arg-type]
    await asyncio.sleep(0.05)
    assert intake.committed == []
    world.tasks.away = False
    async with asyncio.timeout(10):
        await intake.empty.wait()
    assert intake.committed == [4]
    taking.cancel()
    await made.drain(0)


async def test_poison_is_put_away_and_the_next_record_is_taken(world: World) -> None:
    made = worker(world, ScriptedSlot([NEVER()]))
    poison = Record("x.tasks.a", 0, 1, b"?", {})
    intake = ScriptedIntake(poison, record(world.queued(), 2))
    taking = await taken(made, intake)
    (letter,) = world.publisher.on("dead")
    assert isinstance(letter, DeadLetter)
    assert (letter.topic, letter.offset) == ("x.tasks.a", 1)
    assert intake.committed == [1, 2]
    taking.cancel()
    await made.drain(0)


async def test_poison_waits_for_a_broker_that_is_away_and_running_tasks_go_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_module, "_AGAIN_SECONDS", 0.01)
    refused = asyncio.Event()

    async def away(event: Event) -> None:
        if isinstance(event, DeadLetter):
            refused.set()
            raise BrokerUnavailableError("away")

    world.publisher.hook = away
    gate = asyncio.Event()
    made = worker(world, ScriptedSlot([gate, DONE]))
    intake = ScriptedIntake(record(world.queued(), 1), Record("x.tasks.a", 0, 2, b"?", {}))
    taking = asyncio.create_task(made.take(intake))  # type: ignore[arg-type]
    async with asyncio.timeout(10):
        await refused.wait()
        gate.set()
        await world.tasks.until(lambda: world.task().state is TaskState.FINALIZING)
        assert intake.committed == [1]
        world.publisher.hook = None
        await intake.empty.wait()
    assert intake.committed == [1, 2]
    taking.cancel()


async def test_a_claim_during_the_shutdown_is_given_back(world: World) -> None:
    """Claimed and not started, it would be lost with its lease and cost an attempt."""
    claimed, gate = asyncio.Event(), asyncio.Event()

    async def slow(event: Event) -> None:
        claimed.set()
        await gate.wait()

    world.publisher.hook = slow  # the wake-up after the claim
    made = worker(world, ScriptedSlot([NEVER()]))
    taking = asyncio.create_task(made.take(ScriptedIntake(record(world.queued()))))  # type: ignore[arg-type]
    async with asyncio.timeout(10):
        await claimed.wait()
        taking.cancel()
        await asyncio.sleep(0)
        gate.set()
        await asyncio.wait({taking})
        await made.drain(0)
    assert (world.task().state, world.task().attempt) == (TaskState.QUEUED, 1)
    assert made.room() == 1


async def test_within_the_grace_running_tasks_come_to_their_end(world: World) -> None:
    gate = asyncio.Event()
    slot = ScriptedSlot([gate, DONE])
    made = worker(world, slot)
    taking = await taken(made, ScriptedIntake(record(world.queued())))
    taking.cancel()
    draining = asyncio.create_task(made.drain(10))
    await asked(slot)
    gate.set()
    async with asyncio.timeout(10):
        await draining
    assert world.task().state is TaskState.FINALIZING


async def test_a_worker_whose_children_do_not_start_takes_nothing_and_ends(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_module, "_AGAIN_SECONDS", 0.01)
    slot = ScriptedSlot()
    slot.ready = False
    slot.failure = TaskError(FailureCategory.WORKER_CRASH, "The process could not be started.")
    intake = ScriptedIntake(record(world.queued()))
    with pytest.raises(FrameloomError, match="could not be started"):
        await worker(world, slot).take(intake)  # type: ignore[arg-type]
    assert intake.committed == []
    assert world.task().state is TaskState.QUEUED


async def test_too_much_poison_ends_the_worker(world: World) -> None:
    intake = ScriptedIntake(*(Record("x.tasks.a", 0, n, b"?", {}) for n in range(20)))
    with pytest.raises(ConsumerStoppedError, match="could not be handled"):
        await worker(world, ScriptedSlot()).take(intake)  # type: ignore[arg-type]
    assert intake.committed == list(range(20))
    assert len(world.publisher.on("dead")) == 20
