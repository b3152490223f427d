"""One job's events in order, and the log that many clients read."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from gateway_kit import job, message

from frameloom.common.clock import ManualClock
from frameloom.gateway.services.channel import Channel, News
from frameloom.gateway.services.entries import Entry, JobOrder
from frameloom.gateway.services.frames import Format, Frame

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def seqs(entries: list[Entry]) -> list[int | None]:
    return [entry.seq for entry in entries]


class TestOrder:
    def test_from_its_first_event_on_a_job_needs_no_document(self) -> None:
        order = JobOrder("j")
        assert [seqs(order.take(message("j", seq))) for seq in (1, 2, 3)] == [[1], [2], [3]]
        assert not order.behind

    def test_repetitions_are_dropped(self) -> None:
        order = JobOrder("j")
        order.take(message("j", 1))
        order.take(message("j", 2))
        assert seqs(order.take(message("j", 1)) + order.take(message("j", 2))) == []

    def test_what_skips_waits_for_what_it_skipped(self) -> None:
        order = JobOrder("j")
        order.take(message("j", 1))
        assert seqs(order.take(message("j", 3))) == []
        assert order.behind
        assert seqs(order.take(message("j", 2))) == [2, 3]
        assert not order.behind

    def test_a_gap_is_filled_from_the_document(self) -> None:
        order = JobOrder("j")
        order.take(message("j", 1))
        order.take(message("j", 5))
        assert seqs(order.learn(job(ManualClock(), "j", events=4))) == [2, 3, 4, 5]
        assert not order.behind

    def test_of_a_job_first_heard_in_the_middle_only_what_was_heard_is_told(self) -> None:
        order = JobOrder("j")
        assert order.take(message("j", 4)) == []
        assert order.behind
        assert seqs(order.learn(job(ManualClock(), "j", events=4))) == [4]

    def test_an_older_document_does_not_open_the_way(self) -> None:
        order = JobOrder("j")
        order.take(message("j", 1))
        order.take(message("j", 5))
        assert seqs(order.learn(job(ManualClock(), "j", events=3))) == [2, 3]
        assert order.behind
        assert seqs(order.learn(job(ManualClock(), "j", events=3), waited_for=5)) == [5]
        assert not order.behind

    def test_what_came_while_the_document_was_read_goes_on_waiting(self) -> None:
        order = JobOrder("j")
        order.take(message("j", 1))
        order.take(message("j", 3))
        waits = order.waits
        order.take(message("j", 6))
        assert seqs(order.learn(job(ManualClock(), "j", events=3), waited_for=waits)) == [2, 3]
        assert order.behind

    def test_without_a_document_the_rest_is_told_and_the_deletion_once(self) -> None:
        order = JobOrder("j")
        order.take(message("j", 1))
        order.take(message("j", 4))
        told = order.missing(NOW)
        assert [(entry.kind, entry.seq) for entry in told] == [("task.started", 4), ("job.deleted", None)]
        for form in Format:
            assert [frame.id for frame in told[-1].frames(form)] == [None]
        assert order.missing(NOW) == []
        assert order.take(message("j", 5, "job.deleted")) == []

    def test_a_job_never_known_is_not_told_as_deleted(self) -> None:
        assert JobOrder("j").missing(NOW) == []

    def test_more_than_can_be_held_is_in_the_document(self) -> None:
        order = JobOrder("j")
        order.take(message("j", 1))
        for seq in range(3, 600):
            assert order.take(message("j", seq)) == []
        assert seqs(order.learn(job(ManualClock(), "j", events=599))) == list(range(2, 600))

    def test_frames_are_made_once_for_all(self) -> None:
        (entry,) = JobOrder("j").take(message("j", 1))
        for form in Format:
            assert entry.frames(form) is entry.frames(form)
        (frame,) = entry.frames(Format.EVENTS)
        assert frame.sse is frame.sse
        assert frame.message is frame.message


def event(seq: int, job_id: str = "j", outdates: str | None = None) -> Entry:
    return Entry("x", NOW, lambda _: (Frame("x", {}),), job_id=job_id, seq=seq, outdates=outdates)


def telemetry(topic: str) -> Entry:
    return Entry("task.progress", NOW, lambda _: (Frame("p", {}),), topic=topic)


def read(news: News | None) -> tuple[int, list[int | str | None]]:
    assert news is not None
    return news.missed, [entry.topic or entry.seq for entry in news.entries]


class TestChannel:
    def test_a_client_reads_what_came_since_it_joined(self) -> None:
        channel = Channel(10, 0, 0.0, NOW)
        first = channel.join()
        channel.put([event(1)], 0.0)
        second = channel.join()
        channel.put([event(2), event(3)], 0.0)
        assert read(channel.read(first)) == (0, [1, 2, 3])
        assert read(channel.read(second)) == (0, [2, 3])
        assert channel.read(first) is None

    def test_what_all_have_read_is_not_kept(self) -> None:
        channel = Channel(10, 0, 0.0, NOW)
        quick, slow = channel.join(), channel.join()
        channel.put([event(1), event(2)], 0.0)
        channel.read(quick)
        assert len(channel._events) == 2
        channel.read(slow)
        assert len(channel._events) == 0

    def test_what_only_one_who_left_had_not_read_is_not_kept(self) -> None:
        channel = Channel(10, 0, 0.0, NOW)
        quick, slow = channel.join(), channel.join()
        channel.put([event(1)], 0.0)
        channel.read(quick)
        channel.leave(slow)
        assert len(channel._events) == 0
        assert not channel.unread
        channel.leave(quick)
        assert channel.unread

    def test_a_slow_client_is_told_how_many_it_missed_and_of_which_jobs(self) -> None:
        channel = Channel(2, 3, 0.0, NOW)
        slow, quick = channel.join(), channel.join()
        channel.put([event(7, "a"), event(1, "b"), event(8, "a")], 0.0)
        assert read(channel.read(quick)) == (1, [1, 8])
        channel.put([event(2, "b"), event(3, "b")], 0.0)
        news = channel.read(slow)
        assert read(news) == (3, [2, 3])
        assert news is not None
        assert news.first_missed == {"a": 7, "b": 1}

    def test_of_too_many_it_is_not_known(self) -> None:
        channel = Channel(1, 2, 0.0, NOW)
        slow = channel.join()
        channel.put([event(seq) for seq in range(1, 6)], 0.0)
        news = channel.read(slow)
        assert read(news) == (4, [5])
        assert news is not None
        assert news.first_missed is None

    def test_of_telemetry_the_newest_waits_behind_the_events(self) -> None:
        channel = Channel(1, 0, 0.0, NOW)
        client = channel.join()
        channel.put([telemetry("t1"), telemetry("t2"), event(1), telemetry("t1")], 0.0)
        assert read(channel.read(client)) == (0, [1, "t1", "t2"])
        assert channel.read(client) is None

    def test_an_event_outdates_the_telemetry_of_its_task(self) -> None:
        channel = Channel(1, 0, 0.0, NOW)
        client = channel.join()
        channel.put([telemetry("t1"), telemetry("t2"), event(1, outdates="t1")], 0.0)
        assert read(channel.read(client)) == (0, [1, "t2"])

    async def test_all_who_wait_are_woken(self) -> None:
        channel = Channel(5, 0, 0.0, NOW)
        clients = [channel.join() for _ in range(3)]
        waiting = [asyncio.create_task(channel.changed()) for _ in clients]
        await asyncio.sleep(0)
        channel.put([event(1)], 0.0)
        async with asyncio.timeout(5):
            await asyncio.gather(*waiting)

    @pytest.mark.parametrize("size", [1, 3, 64])
    def test_readers_of_any_pace_get_all_or_are_told(self, size: int) -> None:
        channel = Channel(size, 1000, 0.0, NOW)
        paces = (1, 2, 5, 17)
        clients = [channel.join() for _ in paces]
        seen: list[list[int]] = [[] for _ in paces]
        for seq in range(1, 101):
            channel.put([event(seq)], 0.0)
            for client, pace, got in zip(clients, paces, seen, strict=True):
                if seq % pace == 0 and (news := channel.read(client)) is not None:
                    if news.missed:
                        assert news.first_missed == {"j": (got[-1] if got else 0) + 1}
                        got.extend(range(news.first_missed["j"], news.first_missed["j"] + news.missed))
                    got.extend(entry.seq or 0 for entry in news.entries)
        assert [got == list(range(1, len(got) + 1)) for got in seen] == [True] * len(paces)
        assert [len(got) for got in seen] == [100 // pace * pace for pace in paces]
