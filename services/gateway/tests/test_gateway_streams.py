"""Event streams: in order, without gap or repetition, whatever comes when."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from typing import Any, Self
from uuid import UUID

import pytest
from gateway_kit import Gateway, job, message, soon

from frameloom.common.adapters.memory import MemoryJobStore
from frameloom.common.clock import ManualClock
from frameloom.common.documents import JobDocument, JobEvent, JobStatus
from frameloom.common.errors import DatabaseUnavailableError, JobNotFoundError
from frameloom.common.events import TaskProgressed
from frameloom.common.machines.job import delete
from frameloom.common.pipelines import Progress
from frameloom.gateway.errors import BusyError
from frameloom.gateway.services import live, streams
from frameloom.gateway.services.caller import Caller
from frameloom.gateway.services.frames import Format, Frame
from frameloom.gateway.services.live import LiveEvents
from frameloom.gateway.services.presence import End
from frameloom.gateway.services.streams import Stream, StreamService
from frameloom.gateway.services.wanted import Position, Wanted
from frameloom.gateway.settings import GatewaySettings


class Rig:
    """A stream service over a job store in memory."""

    def __init__(self, queue_size: int = 100, heartbeat_seconds: float = 5.0) -> None:
        self.clock = ManualClock()
        self.jobs = MemoryJobStore(self.clock)
        self.hub = LiveEvents(
            self.clock, queue_size=queue_size, max_streams=2, heartbeat_seconds=heartbeat_seconds
        )
        self.service = StreamService(self.hub, self.jobs, self.clock, overlap_seconds=5.0)
        self.stack = AsyncExitStack()
        self.away = self.broken = False
        self.refused = 0

    async def __aenter__(self) -> Self:
        await self.stack.enter_async_context(self.hub.running(self))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stack.aclose()

    async def open(self, form: Format = Format.EVENTS, **wanted: Any) -> AsyncIterator[Frame]:
        opened = self.service.opened(Caller(), Wanted(form=form, **wanted))
        frames = flat(await self.stack.enter_async_context(opened))
        assert (await anext(frames)).event == "connected"
        return frames

    async def add(self, document: JobDocument) -> None:
        await self.jobs.insert(document)

    async def grow(self, name: str, kind: str = "task.started") -> None:
        """One more event in the job's log, not yet announced."""
        held = self.jobs.held[name]
        event = JobEvent(
            id=f"{name}-{held.seq + 1}",
            seq=held.seq + 1,
            type=kind,
            status=JobStatus.COMPLETED if kind == "job.completed" else JobStatus.RUNNING,
            time=self.clock.now(),
        )
        self.jobs.held[name] = held.model_copy(
            update={
                "events": (*held.events, event),
                "seq": held.seq + 1,
                "updated_at": self.clock.now(),
                "rev": held.rev + 1,
            }
        )

    async def hear(self, name: str, *seqs: int) -> None:
        for seq in seqs:
            await self.hub.handle(message(name, seq))

    async def with_tombstone(self, job_id: str) -> JobDocument | None:
        self._ask()
        return await self.jobs.with_tombstone(job_id)

    async def changed_since(self, tenant: str, since: datetime, limit: int) -> list[JobDocument]:
        self._ask()
        return await self.jobs.changed_since(tenant, since, limit)

    def _ask(self) -> None:
        if self.away or self.broken:
            self.refused += 1
            raise DatabaseUnavailableError("away") if self.away else ValueError("no document of ours")

    async def read(self) -> None:
        """Waits until the hub has read what documents it wanted."""
        await soon(lambda: not any(order.behind for order in self.hub._orders.values()))


def uuid7_at(time: datetime) -> str:
    """An id as it is minted at this time."""
    return str(UUID(int=int(time.timestamp() * 1000) << 80 | 7 << 76 | 2 << 62))


async def flat(stream: Stream) -> AsyncIterator[Frame]:
    """A stream's frames one by one."""
    async for batch in stream.batches():
        for frame in batch:
            yield frame


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with Rig() as made:
        yield made


async def ids(frames: AsyncIterator[Frame], count: int) -> list[str | None]:
    async with asyncio.timeout(5):
        return [(await anext(frames)).id for _ in range(count)]


def progress(name: str, fraction: float = 0.5) -> TaskProgressed:
    told = Progress(stage="infer", fraction=fraction)
    return TaskProgressed(
        job_id=name, tenant="default", task_id="t", pipeline="scene_detection", epoch=1, progress=told
    )


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("j:3", Position("j", 3)),
        ("a:b:3", Position("a:b", 3)),
        (None, None),
        ("", None),
        ("j", None),
        (":3", None),
        ("j:x", None),
        ("j:٣", None),
        ("j:" + "9" * 30, None),
    ],
)
def test_positions_are_read_or_passed_over(text: str | None, position: Position | None) -> None:
    assert Position.parse(text) == position


class TestOneJob:
    async def test_a_client_sees_the_job_from_its_start_then_live(self, rig: Rig) -> None:
        await rig.add(job(rig.clock, "j", events=2))
        frames = await rig.open(job_id="j")
        assert await ids(frames, 2) == ["j:1", "j:2"]
        await rig.hear("j", 3, 4)
        assert await ids(frames, 2) == ["j:3", "j:4"]

    async def test_what_comes_during_the_replay_is_told_once(self, rig: Rig) -> None:
        await rig.add(job(rig.clock, "j", events=2))
        frames = await rig.open(job_id="j")
        await rig.hear("j", 1, 2, 3)
        assert await ids(frames, 3) == ["j:1", "j:2", "j:3"]

    async def test_a_client_goes_on_after_its_last_event(self, rig: Rig) -> None:
        await rig.add(job(rig.clock, "j", events=4))
        frames = await rig.open(job_id="j", after=Position("j", 2))
        assert await ids(frames, 2) == ["j:3", "j:4"]

    async def test_a_repeated_event_is_told_once(self, rig: Rig) -> None:
        await rig.add(job(rig.clock, "j"))
        frames = await rig.open(job_id="j")
        await rig.hear("j", 2, 2, 1, 3)
        assert await ids(frames, 3) == ["j:1", "j:2", "j:3"]

    async def test_a_gap_is_filled_from_the_document(self, rig: Rig) -> None:
        await rig.add(job(rig.clock, "j"))
        frames = await rig.open(job_id="j")
        assert await ids(frames, 1) == ["j:1"]
        for _ in range(3):
            await rig.grow("j")
        await rig.hear("j", 4, 2, 3, 5)
        assert await ids(frames, 4) == ["j:2", "j:3", "j:4", "j:5"]

    async def test_progress_has_no_id(self, rig: Rig) -> None:
        await rig.add(job(rig.clock, "j"))
        frames = await rig.open(job_id="j", after=Position("j", 1))
        await rig.hub.handle(progress("other"))
        await rig.hub.handle(progress("j"))
        frame = await anext(frames)
        assert (frame.event, frame.id) == ("task.progress", None)
        assert frame.data["data"]["fraction"] == 0.5

    async def test_the_stream_may_end_with_the_job(self, rig: Rig) -> None:
        await rig.add(job(rig.clock, "j"))
        frames = await rig.open(job_id="j", close_on_end=True)
        await rig.grow("j", "job.completed")
        await rig.hub.handle(message("j", 2, "job.completed"))
        async with asyncio.timeout(5):
            assert [frame.event async for frame in frames] == ["job.submitted", "job.completed"]

    async def test_of_a_job_that_is_over_the_stream_ends_after_the_replay(self, rig: Rig) -> None:
        await rig.add(job(rig.clock, "j"))
        await rig.grow("j", "job.failed")
        frames = await rig.open(job_id="j", close_on_end=True)
        async with asyncio.timeout(5):
            assert [frame.id async for frame in frames] == ["j:1", "j:2"]

    async def test_an_unknown_job_is_refused(self, rig: Rig) -> None:
        await rig.add(job(rig.clock, "theirs", tenant="another"))
        for name in ("nobody", "theirs"):
            with pytest.raises(JobNotFoundError):
                await rig.open(job_id=name)


class TestAllJobs:
    async def test_it_begins_now(self, rig: Rig) -> None:
        await rig.add(job(rig.clock, "old", events=3))
        frames = await rig.open()
        await rig.hear("old", 4)
        await rig.hear("new", 1)
        await rig.hub.handle(message("theirs", 1, tenant="another"))
        await rig.hear("new", 2)
        # Of the old job the document is read first; the other one does not wait for that.
        assert await ids(frames, 3) == ["new:1", "new:2", "old:4"]

    async def test_it_goes_on_with_what_was_missed_in_all_jobs(self, rig: Rig) -> None:
        await rig.add(job(rig.clock, "early", events=2))
        rig.clock.advance(60)
        await rig.add(job(rig.clock, "seen", events=1))
        rig.clock.advance(10)
        await rig.add(job(rig.clock, "missed", events=1))
        await rig.add(job(rig.clock, "theirs", tenant="another"))
        rig.clock.advance(10)
        await rig.grow("seen")
        await rig.grow("early")
        frames = await rig.open(after=Position("seen", 1))
        await rig.hear("seen", 2, 3)
        await rig.hear("missed", 1, 2)
        expected = ["missed:1", "early:3", "seen:2", "missed:2", "seen:3"]
        assert await ids(frames, 5) == expected

    async def test_the_replay_is_in_order_of_time_and_sequence(self, rig: Rig) -> None:
        await rig.add(job(rig.clock, "a", events=1))
        late = job(rig.clock, "b", events=3)
        # A task's time may lie before an event that was folded earlier.
        moved = late.events[2].model_copy(update={"time": rig.clock.now() - timedelta(seconds=3)})
        await rig.add(late.model_copy(update={"events": (*late.events[:2], moved)}))
        frames = await rig.open(after=Position("a", 1))
        assert await ids(frames, 3) == ["b:1", "b:2", "b:3"]

    async def test_an_unknown_position_means_from_now(self, rig: Rig) -> None:
        await rig.add(job(rig.clock, "j"))
        frames = await rig.open(after=Position("nobody", 1))
        await rig.hear("k", 7)
        assert await ids(frames, 1) == ["k:7"]

    async def test_a_position_in_a_deleted_job_loses_nothing_of_the_others(self, rig: Rig) -> None:
        deleted = uuid7_at(rig.clock.now())
        rig.clock.advance(60)
        await rig.add(job(rig.clock, "since", events=1))
        frames = await rig.open(after=Position(deleted, 3))
        assert await ids(frames, 1) == ["since:1"]

    async def test_a_replay_that_is_cut_says_so(self, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(streams, "_PAGE", 2)
        monkeypatch.setattr(streams, "_MAX_PAGES", 2)
        for number in range(9):
            await rig.add(job(rig.clock, f"j{number}"))
            rig.clock.advance(1)
        frames = await rig.open(after=Position("j0", 1))
        told = [(await anext(frames)) for _ in range(3)]
        assert [frame.id for frame in told[:2]] == ["j1:1", "j2:1"]
        assert (told[2].event, told[2].data["missed"]) == ("lagged", None)


class TestDeletedJobs:
    async def delete(self, rig: Rig, name: str) -> JobDocument:
        change = delete(rig.jobs.held[name], rig.clock.now())
        after = await rig.jobs.apply(change)
        assert after is not None
        return after

    async def test_who_watches_a_job_sees_its_deletion_and_what_came_before(self, rig: Rig) -> None:
        await rig.add(job(rig.clock, "j"))
        frames = await rig.open(job_id="j", close_on_end=True)
        assert await ids(frames, 1) == ["j:1"]
        await rig.grow("j")
        gone = await self.delete(rig, "j")
        await rig.hub.handle(message("j", gone.seq, "job.deleted"))
        async with asyncio.timeout(5):
            rest = [frame async for frame in frames]
        assert [(frame.id, frame.event) for frame in rest] == [
            ("j:2", "task.started"),
            ("j:3", "job.deleted"),
        ]

    async def test_who_was_away_is_told_while_the_tombstone_stands(self, rig: Rig) -> None:
        for name in ("gone", "seen"):
            await rig.add(job(rig.clock, name))
            rig.clock.advance(60)
        for name in ("seen", "gone"):
            await self.delete(rig, name)
        frames = await rig.open(after=Position("seen", 1))
        async with asyncio.timeout(5):
            told = [await anext(frames) for _ in range(2)]
        assert {(frame.id, frame.event) for frame in told} == {
            ("seen:2", "job.deleted"),
            ("gone:2", "job.deleted"),
        }

    async def test_a_stream_of_a_deleted_job_is_refused(self, rig: Rig) -> None:
        await rig.add(job(rig.clock, "j"))
        await self.delete(rig, "j")
        with pytest.raises(JobNotFoundError):
            await rig.open(job_id="j", after=Position("j", 1))


class TestSlowClients:
    async def test_a_client_that_lags_is_told_and_caught_up(self) -> None:
        rig = Rig(queue_size=2)
        async with rig:
            await rig.add(job(rig.clock, "j"))
            frames = await rig.open(job_id="j")
            assert await ids(frames, 1) == ["j:1"]
            for _ in range(6):
                await rig.grow("j")
            await rig.hear("j", 2, 3, 4, 5, 6)
            lagged = await anext(frames)
            assert (lagged.event, lagged.data["missed"], lagged.id) == ("lagged", 3, None)
            await rig.hear("j", 7)
            assert await ids(frames, 6) == ["j:2", "j:3", "j:4", "j:5", "j:6", "j:7"]
            await rig.hear("j", 8)
            assert await ids(frames, 1) == ["j:8"]

    async def test_one_that_hears_all_jobs_is_caught_up_with_each(self) -> None:
        async with Rig(queue_size=2) as rig:
            await rig.add(job(rig.clock, "old", events=3))
            frames = await rig.open()
            for name in ("a", "b"):
                await rig.add(job(rig.clock, name, events=1))
                await rig.hear(name, 1)
            await rig.grow("old")
            await rig.grow("a")
            await rig.hear("a", 2)
            await rig.hear("old", 4)
            await rig.read()
            await rig.grow("b")
            await rig.hear("b", 2)
            assert (await anext(frames)).data["missed"] == 3
            assert await ids(frames, 5) == ["a:1", "a:2", "b:1", "b:2", "old:4"]

    async def test_of_one_far_behind_the_documents_tell_what_changed(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(live, "_REMEMBERED_EVENTS", 1)
        async with Rig(queue_size=1) as rig:
            frames = await rig.open()
            for name in ("a", "b", "c"):
                await rig.add(job(rig.clock, name, events=1))
                await rig.hear(name, 1)
            assert (await anext(frames)).event == "lagged"
            assert await ids(frames, 3) == ["a:1", "b:1", "c:1"]

    async def test_of_progress_only_the_newest_waits(self) -> None:
        async with Rig(queue_size=1) as rig:
            await rig.add(job(rig.clock, "j"))
            frames = await rig.open(job_id="j", after=Position("j", 1))
            for fraction in (0.1, 0.2, 0.3):
                await rig.hub.handle(progress("j", fraction))
            await rig.hear("j", 2)
            assert await ids(frames, 1) == ["j:2"]
            assert (await anext(frames)).data["data"]["fraction"] == 0.3
            await rig.hub.handle(progress("j", 0.4))
            assert (await anext(frames)).data["data"]["fraction"] == 0.4

    async def test_one_slow_client_does_not_hold_up_another(self) -> None:
        rig = Rig(queue_size=1)
        async with rig:
            await rig.open()
            quick = await rig.open()
            for seq in range(1, 6):
                await rig.hear("j", seq)
                assert await ids(quick, 1) == [f"j:{seq}"]


class TestEnds:
    async def test_silence_is_filled_with_heartbeats(self) -> None:
        rig = Rig(heartbeat_seconds=0.02)
        async with rig:
            frames = await rig.open()
            assert (await anext(frames)).event == "heartbeat"

    async def test_after_silence_the_document_has_the_last_word(self) -> None:
        rig = Rig(heartbeat_seconds=0.02)
        async with rig:
            await rig.add(job(rig.clock, "j"))
            frames = await rig.open(job_id="j", close_on_end=True)
            assert await ids(frames, 1) == ["j:1"]
            await rig.grow("j", "job.completed")  # and Kafka never told
            async with asyncio.timeout(5):
                assert [frame.id async for frame in frames][-1] == "j:2"

    async def test_streams_end_when_the_hub_closes(self, rig: Rig) -> None:
        frames = await rig.open()
        rig.hub.close()
        async with asyncio.timeout(5):
            assert [frame async for frame in frames] == []
        with pytest.raises(BusyError):
            await rig.open()

    async def test_streams_of_a_revoked_key_end(self, rig: Rig) -> None:
        with (
            rig.hub.subscribed("default", None, "mine") as mine,
            rig.hub.subscribed("default", None) as other,
        ):
            assert rig.hub.keys == {"mine"}
            rig.hub.revoke({"mine"})
            async with asyncio.timeout(5):
                assert await mine.next() is None
            assert (mine.end, other.end) == (End.REVOKED, None)

    async def test_a_deleted_job_is_told_and_ends_the_stream(self, rig: Rig) -> None:
        await rig.add(job(rig.clock, "j"))
        frames = await rig.open(job_id="j", close_on_end=True)
        await rig.hear("j", 2)
        del rig.jobs.held["j"]
        await rig.hub.handle(message("j", 3, "job.deleted"))
        async with asyncio.timeout(5):
            assert [frame.event async for frame in frames] == ["job.submitted", "task.started", "job.deleted"]

    async def test_one_that_hears_all_jobs_is_told_after_silence_what_kafka_never_did(self) -> None:
        async with Rig(heartbeat_seconds=0.02) as rig:
            await rig.add(job(rig.clock, "old", events=2))
            rig.clock.advance(60)
            frames = await rig.open()
            rig.clock.advance(1)
            await rig.grow("old")
            await rig.add(job(rig.clock, "new"))
            await rig.add(job(rig.clock, "theirs", tenant="another"))
            told: list[str | None] = []
            async with asyncio.timeout(5):
                while len(told) < 2:
                    told += [frame.id for frame in [await anext(frames)] if frame.id]
            assert sorted(str(one) for one in told) == ["new:1", "old:3"]
            await rig.hear("old", 3)
            await rig.hear("new", 1, 2)
            async with asyncio.timeout(5):
                while (frame := await anext(frames)).id is None:
                    pass
            assert frame.id == "new:2"

    async def test_a_job_first_heard_late_is_told_from_where_the_client_began(self, rig: Rig) -> None:
        await rig.add(job(rig.clock, "j"))
        rig.clock.advance(60)
        frames = await rig.open()
        rig.clock.advance(1)
        for _ in range(3):
            await rig.grow("j")
        await rig.hear("j", 4)  # and 2 and 3 never came
        assert await ids(frames, 3) == ["j:2", "j:3", "j:4"]

    async def test_a_deletion_that_kafka_never_told_is_noticed(self) -> None:
        async with Rig(heartbeat_seconds=0.02) as rig:
            await rig.add(job(rig.clock, "j"))
            frames = await rig.open(job_id="j", close_on_end=True)
            assert await ids(frames, 1) == ["j:1"]
            del rig.jobs.held["j"]
            async with asyncio.timeout(5):
                last = [frame async for frame in frames][-1]
            assert (last.event, last.id) == ("job.deleted", None)

    async def test_a_database_that_is_away_delays_and_loses_nothing(
        self, rig: Rig, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(live, "_AGAIN_SECONDS", 0.01)
        await rig.add(job(rig.clock, "j"))
        frames = await rig.open(job_id="j")
        for _ in range(3):
            await rig.grow("j")
        rig.away = True
        await rig.hear("j", 4)
        await soon(lambda: rig.refused > 1)
        rig.away = False
        assert await ids(frames, 4) == ["j:1", "j:2", "j:3", "j:4"]

    async def test_a_document_that_can_not_be_read_does_not_end_the_hub(self, rig: Rig) -> None:
        await rig.add(job(rig.clock, "j"))
        frames = await rig.open(job_id="j")
        rig.broken = True
        await rig.hear("j", 3)
        await soon(lambda: rig.refused == 1)
        rig.broken = False
        await rig.hear("j", 2)
        assert await ids(frames, 3) == ["j:1", "j:2", "j:3"]

    async def test_of_a_job_that_is_over_the_document_is_seldom_read(self) -> None:
        async with Rig(heartbeat_seconds=0.02) as rig:
            await rig.add(job(rig.clock, "j"))
            await rig.grow("j", "job.completed")
            frames = await rig.open(job_id="j")
            rig.broken = True
            assert await ids(frames, 2) == ["j:1", "j:2"]
            for _ in range(7):
                assert (await anext(frames)).event == "heartbeat"
            (channel,) = rig.hub._channels.values()
            assert rig.refused <= channel.silences // 8

    async def test_there_is_a_limit_of_streams(self, rig: Rig) -> None:
        await rig.open()
        await rig.open()
        with pytest.raises(BusyError):
            await rig.open()


class TestOverHttp:
    async def test_a_stream_over_http(self) -> None:
        blocks = await self.heard("?job_id=j&close_on_end=true&format=events")
        assert [block.get("event") for block in blocks] == [
            None,
            "connected",
            "task.started",
            "job.completed",
        ]
        assert [block.get("id") for block in blocks[2:]] == ["j:2", "j:3"]
        data = json.loads(blocks[2]["data"])
        assert set(data) == {"job_id", "seq", "id", "type", "status", "time", "data"}

    async def test_the_viewer_hears_its_own_words_unless_it_asks_otherwise(self) -> None:
        blocks = await self.heard("?job_id=j&close_on_end=true")
        assert [(block.get("event"), block.get("id")) for block in blocks[1:]] == [
            (None, None),
            ("job.log", "j:2"),
            ("job.complete", "j:3"),
        ]
        first = json.loads(blocks[1]["data"])
        assert (first["type"], set(first)) == ("connected", {"type", "timestamp"})
        last = json.loads(blocks[3]["data"])
        assert (last["job_id"], last["status"], last["progress"]) == ("j", "completed", 100.0)

    @staticmethod
    async def heard(query: str) -> list[dict[str, str]]:
        """A whole stream that goes on after the job's first event, as blocks of named lines."""
        async with Gateway().running() as gateway:
            await gateway.jobs.insert(job(gateway.clock, "j", events=2))
            path = f"/api/v1/events/stream{query}"
            async with gateway.client.get(path, headers={"Last-Event-ID": "j:1"}) as answer:
                assert answer.status == 200
                assert answer.content_type == "text/event-stream"
                await gateway.hub.handle(message("j", 3, "job.completed", status="completed"))
                text = (await answer.read()).decode()
        return [dict(line.split(": ", 1) for line in b.split("\n")) for b in text.strip().split("\n\n")]

    async def test_the_query_may_carry_the_position(self) -> None:
        async with Gateway().running() as gateway:
            await gateway.jobs.insert(job(gateway.clock, "j", events=2))
            path = "/api/v1/events/stream?job_id=j&last_event_id=j:2&close_on_end=1"
            async with gateway.client.get(path) as answer:
                await gateway.hub.handle(message("j", 3, "job.failed"))
                text = (await answer.read()).decode()
        assert "id: j:2" not in text
        assert "id: j:3" in text

    async def test_a_client_that_leaves_is_forgotten(self) -> None:
        settings = GatewaySettings(heartbeat_seconds=0.02, max_streams=1)
        async with Gateway(settings).running() as gateway:
            async with gateway.client.get("/api/v1/events/stream") as answer:
                await answer.content.readline()
                async with gateway.client.get("/api/v1/events/stream") as refused:
                    assert refused.status == 503
            await soon(lambda: not gateway.hub._present)

    async def test_the_end_of_the_server_ends_the_streams(self) -> None:
        async with Gateway().running() as gateway:
            answer = await gateway.client.get("/api/v1/events/stream")
            await answer.content.readline()
            gateway.hub.close()
            async with asyncio.timeout(5):
                await answer.read()
