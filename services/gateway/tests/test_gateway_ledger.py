"""The ledger, held against counting by hand."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from frameloom.common.documents import LISTED, JobStatus
from frameloom.common.ports.stores import JobRow
from frameloom.gateway.services.ledger import Census, Column, Ledger, Window

START = datetime(2026, 1, 1, tzinfo=UTC)
AFTER = {
    JobStatus.PENDING: (JobStatus.RUNNING, JobStatus.CANCELLED),
    JobStatus.RUNNING: (JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED),
}


def at(milliseconds: int) -> datetime:
    return START + timedelta(milliseconds=milliseconds)


@dataclass
class Job:
    """A job as it really is."""

    id: str
    tenant: str
    created_at: datetime
    status: JobStatus = JobStatus.PENDING
    seq: int = 1

    def row(self) -> JobRow:
        return JobRow(self.id, self.tenant, self.status, self.created_at)


def census(jobs: list[Job], young_since: datetime = START) -> Ledger:
    made = Census(young_since)
    made.take([job.row() for job in jobs])
    return made.ledger()


def check(ledger: Ledger, jobs: list[Job], rng: random.Random) -> None:
    """Totals, pages and places are what counting gives."""
    for tenant in ("a", "b", "nobody"):
        mine = sorted((j.created_at, j.id, j.status) for j in jobs if j.tenant == tenant)
        assert ledger.by_status(tenant) == {s: sum(j[2] is s for j in mine) for s in LISTED}
        for status in (None, *LISTED):
            chosen = [entry for entry in mine if status in {None, entry[2]}]
            assert ledger.total(tenant, status) == len(chosen)
            skip, limit = rng.randrange(len(chosen) + 2), rng.randrange(1, 9)
            window = ledger.window(tenant, status, skip, limit)
            if not (wanted := chosen[skip : skip + limit]):
                assert window is None
                continue
            assert window is not None
            span = [entry for entry in chosen if window.since <= entry[0] < window.before]
            assert span[window.skip : window.skip + window.limit] == wanted
    queue = sorted((j.created_at, j.id) for j in jobs if j.status is JobStatus.PENDING)
    for place, (created_at, job_id) in enumerate(queue, start=1):
        assert ledger.position(job_id, created_at) == place


@pytest.mark.parametrize("seed", range(8))
def test_it_follows_whatever_happens(seed: int) -> None:
    rng = random.Random(seed)
    jobs: list[Job] = []
    ledger = Ledger()
    for number in range(400):
        live = [job for job in jobs if not job.status.terminal]
        match rng.choice("nncccd") if live else "n":
            case "n":
                # Many in one millisecond, and some out of order: another gateway's clock.
                job = Job(f"j{number:03}", rng.choice("ab"), at(number // 9 - rng.randrange(3)))
                jobs.append(job)
                assert ledger.add(job.id, job.tenant, job.status, job.created_at, job.seq)
            case "c":
                job = rng.choice(live)
                job.status, job.seq = rng.choice(AFTER[job.status]), job.seq + 1
                assert ledger.change(job.id, job.status, job.seq)
            case _:
                job = rng.choice(jobs)
                jobs.remove(job)
                assert ledger.remove(job.id)
        if number % 20 == 0:
            check(ledger, jobs, rng)
    check(ledger, jobs, rng)
    check(census(jobs), jobs, rng)


def test_what_is_told_twice_counts_once() -> None:
    ledger = Ledger()
    for _ in range(3):
        ledger.add("j", "a", JobStatus.PENDING, START, 1)
        ledger.change("j", JobStatus.RUNNING, 2)
    assert ledger.by_status("a") == {s: int(s is JobStatus.RUNNING) for s in LISTED}
    ledger.change("j", JobStatus.COMPLETED, 3)
    ledger.change("j", JobStatus.RUNNING, 2)
    assert ledger.total("a", JobStatus.COMPLETED) == ledger.total("a") == 1


def test_late_events_do_not_undo_a_census() -> None:
    """The census saw the job's end; its first events come only now, as they do right after a start."""
    ledger = census([Job("j", "a", START, JobStatus.COMPLETED)])
    ledger.add("j", "a", JobStatus.PENDING, START, 1)
    ledger.change("j", JobStatus.RUNNING, 2)
    assert ledger.by_status("a")[JobStatus.COMPLETED] == 1
    ledger.change("j", JobStatus.COMPLETED, 3)
    assert ledger.by_status("a") == {s: int(s is JobStatus.COMPLETED) for s in LISTED}


def test_a_job_that_begins_again_is_followed() -> None:
    ledger = Ledger()
    ledger.add("j", "a", JobStatus.FAILED, START, 4)
    ledger.change("j", JobStatus.PENDING, 5)
    assert ledger.total("a", JobStatus.PENDING) == 1
    assert ledger.position("k", at(1)) == 2


def test_the_ids_of_old_jobs_that_are_over_are_forgotten_but_not_the_jobs() -> None:
    jobs = [
        Job("old", "a", START, JobStatus.FAILED),
        Job("waits", "a", START),
        Job("young", "a", at(5000), JobStatus.FAILED),
    ]
    ledger = census(jobs, young_since=at(1000))
    assert not ledger.change("old", JobStatus.RUNNING, 9)
    assert ledger.change("waits", JobStatus.RUNNING, 2)
    assert ledger.change("young", JobStatus.FAILED, 2)
    ledger.forget_old(at(9000))
    assert not ledger.change("young", JobStatus.FAILED, 3)
    assert ledger.change("waits", JobStatus.RUNNING, 3)
    assert ledger.total("a") == 3
    assert not ledger.remove("old")
    assert ledger.remove_old("a", JobStatus.FAILED, START)
    assert not ledger.remove_old("a", JobStatus.FAILED, START)
    assert not ledger.remove_old("nobody", JobStatus.FAILED, START)
    assert ledger.by_status(None) == {
        **dict.fromkeys(LISTED, 0),
        JobStatus.RUNNING: 1,
        JobStatus.FAILED: 1,
    }


def test_a_page_deep_in_many_jobs_is_found() -> None:
    """More jobs than are looked through in one go, every third of them failed."""
    column = Column.of(number << 3 | (3 if number % 3 == 0 else 2) for number in range(20_000))
    assert column.total(JobStatus.FAILED) == 6667
    window = column.window(JobStatus.FAILED, 6000, 10)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    first, last = (epoch + timedelta(milliseconds=3 * number) for number in (6000, 6009))
    assert window == Window(first, last + timedelta(milliseconds=1), 0, 10)
    assert column.window(JobStatus.FAILED, 6660, 10) is not None
    assert column.window(JobStatus.FAILED, 6667, 10) is None
    assert column.window(JobStatus.RUNNING, 0, 10) is None
