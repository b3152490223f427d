"""What a process tells of itself: sampled beside the event loop, told in time, and taken back at the end."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from frameloom.common import sampling, service
from frameloom.common.adapters.memory import MemoryFleetStore
from frameloom.common.clock import ManualClock
from frameloom.common.documents import FleetMember, Liveness, Service
from frameloom.common.documents.facts import SchedulerFacts
from frameloom.common.errors import DatabaseUnavailableError
from frameloom.common.host import ChildrenProbe, HostProbe, versions_of
from frameloom.common.sampling import Sampled
from frameloom.common.service import Announcer
from frameloom.common.settings import FleetSettings

LONG = 60.0


class HeardStore(MemoryFleetStore):
    """A fleet store that tells of every announcement."""

    def __init__(self) -> None:
        super().__init__(ManualClock(), 10.0)
        self.heard: list[FleetMember] = []
        self.away = False
        self._news = asyncio.Condition()

    async def announce(self, member: FleetMember) -> None:
        if self.away:
            raise DatabaseUnavailableError("away")
        await super().announce(member)
        async with self._news:
            self.heard.append(member)
            self._news.notify_all()

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(10), self._news:
            await self._news.wait_for(holds)


def announcer(store: HeardStore, every_seconds: float = LONG, **more: object) -> Announcer:
    settings = FleetSettings(host="here", announce_every_seconds=every_seconds)
    return Announcer(store, settings, Service.SCHEDULER, ManualClock(), **more)  # type: ignore[arg-type]


async def test_the_first_announcement_has_all_facts(tmp_path: Path) -> None:
    store = HeardStore()
    made = announcer(store, folder=tmp_path / "not made yet", versions={"frameloom": "1"})
    async with made.running():
        (member,) = await store.live()
        facts = member.facts
        assert facts.host is not None
        assert facts.process is not None
        assert facts.host.cpu_count == psutil.cpu_count()
        assert facts.host.memory.total_bytes == psutil.virtual_memory().total
        assert facts.host.disk is not None
        assert facts.host.disk.total_bytes == psutil.disk_usage(str(tmp_path)).total
        assert facts.host.python_version == sys.version.split()[0]
        assert facts.process.rss_bytes > 1_000_000
        assert facts.sampled_at is not None
        assert facts.versions == {"frameloom": "1"}
        assert (member.pid, member.host) == (os.getpid(), "here")
    assert await store.live() == []


async def test_own_facts_are_asked_before_every_announcement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "_SOON_SECONDS", 0.01)
    store, sweeps = HeardStore(), [0]
    made = announcer(store, parts=lambda: {"scheduler": SchedulerFacts(sweeps_total=sweeps[0])})
    async with made.running():
        sweeps[0] = 5
        for _ in range(3):
            made.touch()
        await store.until(lambda: len(store.heard) == 2)
        told = store.heard[-1].facts.scheduler
        assert told is not None
        assert told.sweeps_total == 5
        current = made.current().facts.scheduler
        assert current is not None
        sweeps[0] = 6
        assert made.current().facts.scheduler == SchedulerFacts(sweeps_total=6)
    assert len(store.heard) == 2, "three touches are one announcement"


async def test_a_change_is_told_at_once() -> None:
    store = HeardStore()
    made = announcer(store)
    async with made.running():
        made.update(liveness=Liveness.DRAINING)
        await store.until(lambda: store.heard[-1].liveness is Liveness.DRAINING)


async def test_a_database_that_is_away_is_told_again_later() -> None:
    store = HeardStore()
    made = announcer(store, every_seconds=0.01)
    async with made.running():
        store.away = True
        await asyncio.sleep(0.05)
        store.away = False
        before = len(store.heard)
        await store.until(lambda: len(store.heard) > before)


async def test_a_sampler_that_hangs_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "_FIRST_WITHIN_SECONDS", 0.05)
    gate, ended = threading.Event(), threading.Event()

    def hang() -> str:
        gate.wait(30)
        ended.set()
        return "late"

    sampled = Sampled(hang, 0.01, "test", "none")
    async with sampled.running():
        assert sampled.latest == "none"
    gate.set()
    assert await asyncio.to_thread(ended.wait, 10)


async def test_a_sampler_that_fails_keeps_the_last_value_and_goes_on() -> None:
    values = iter([1, RuntimeError("odd"), 3])
    third = threading.Event()

    def read() -> int:
        value = next(values, None)
        if isinstance(value, Exception):
            raise value
        if value is None or value == 3:
            third.set()
        return value or 4

    sampled = Sampled(read, 0.005, "test", 0)
    async with sampled.running():
        assert sampled.latest >= 1
        assert await asyncio.to_thread(third.wait, 10)


def test_children_are_read_by_their_ids_and_the_dead_are_left_out() -> None:
    probe = ChildrenProbe()
    found = probe.read([os.getpid(), 2**22 + 1])
    assert list(found) == [os.getpid()]
    assert found[os.getpid()].rss_bytes > 1_000_000
    assert probe.read([]) == {}


def test_rates_are_not_those_since_the_machine_began() -> None:
    host, process = HostProbe().read()
    assert 0 <= host.cpu_percent <= 100
    assert process.threads >= 1
    assert host.disk is None


def test_versions_are_read_without_an_import() -> None:
    sys.modules.pop("schemathesis", None)
    assert versions_of(["pydantic", "no-such-distribution"]).keys() == {"pydantic"}
