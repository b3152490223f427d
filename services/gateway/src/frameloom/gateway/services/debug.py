"""What those need who look for a fault: a job in full, a key, the requests of late."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from frameloom.common.clock import Clock
from frameloom.common.documents import JobDocument, JobStatus, TaskDocument
from frameloom.common.documents.facts import SlotFacts
from frameloom.common.errors import JobNotFoundError
from frameloom.common.ports.database import DatabaseReport
from frameloom.common.ports.stores import JobStore, TaskStore
from frameloom.gateway.services.access import Access
from frameloom.gateway.services.caller import Caller
from frameloom.gateway.services.keys import KeyFacts
from frameloom.gateway.services.overview import Overview
from frameloom.gateway.services.recorder import Answered, Recorder, Session
from frameloom.gateway.services.tally import Tally
from frameloom.gateway.services.watch import Watch


@dataclass(frozen=True, slots=True)
class JobFacts:
    """A job, its tasks, and the slots that work on it.

    Attributes:
        at: When it was looked at.
        position: Its place in the queue; None: it waits in none.
    """

    at: datetime
    job: JobDocument
    tasks: tuple[TaskDocument, ...]
    slots: tuple[SlotFacts, ...]
    position: int | None


@dataclass(frozen=True, slots=True)
class Standing:
    """How a key stands with its limit of requests.

    Attributes:
        per_second: In the long run.
        burst: At once.
        remaining: At once, now.
        full_at: When all of the burst is there again.
    """

    per_second: float
    burst: int
    remaining: int
    full_at: datetime


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """The key of a request, how it stands, and its use of this gateway."""

    key: KeyFacts
    standing: Standing | None
    session: Session | None


@dataclass(frozen=True, slots=True)
class RequestLog:
    """Requests of late, the newest last; and how many are remembered."""

    requests: tuple[Answered, ...]
    remembered: int


class DebugService:
    """Looks closely. What belongs to another tenant is told to the operator only."""

    def __init__(
        self,
        jobs: JobStore,
        tasks: TaskStore,
        tally: Tally,
        watch: Watch,
        recorder: Recorder,
        access: Access,
        clock: Clock,
    ) -> None:
        self._jobs = jobs
        self._tasks = tasks
        self._tally = tally
        self._watch = watch
        self._recorder = recorder
        self._access = access
        self._clock = clock

    async def overview(self) -> Overview:
        """The whole installation."""
        return await self._watch.overview()

    async def database(self) -> DatabaseReport:
        """What the database tells of itself.

        Raises:
            TransientError: It does not answer.
        """
        return (await self._watch.database()).value

    async def job(self, caller: Caller, job_id: str) -> JobFacts:
        """A job in full.

        Raises:
            JobNotFoundError: There is none of this id, or it is another tenant's.
        """
        job = await self._jobs.get(job_id)
        if job is None or not (caller.operates or job.tenant == caller.tenant):
            raise JobNotFoundError(job_id)
        tasks = await self._tasks.of_job(job_id)
        overview = await self._watch.overview()
        return JobFacts(
            at=self._clock.now(),
            job=job,
            tasks=tuple(sorted(tasks, key=lambda task: task.pipeline)),
            slots=tuple(slot for _, slot in overview.busy if slot.job_id == job_id),
            position=await self._tally.position(job) if job.status is JobStatus.PENDING else None,
        )

    async def token(self, caller: Caller) -> TokenFacts:
        """What is known about the caller's key."""
        key = await self._access.keys.info(caller)
        return TokenFacts(key, self._standing(caller, key), self._recorder.session(caller.key_id))

    def requests(self, caller: Caller, limit: int) -> RequestLog:
        """The requests of late: the caller's tenant's, or everybody's for the operator."""
        tenant = None if caller.operates else caller.tenant
        return RequestLog(tuple(self._recorder.latest(limit, tenant)), self._recorder.count(tenant))

    def last_hour(self) -> int:
        """How many requests came in the last hour."""
        return self._recorder.last_hour(self._clock.now())

    def _standing(self, caller: Caller, key: KeyFacts) -> Standing | None:
        if caller.account is None or key.limits is None:
            return None
        own = key.shown.key.limits if key.shown else None
        rate = self._access.rates.request(caller.account, own, cost=0.0)
        if rate is None:
            return None
        return Standing(
            per_second=key.limits.requests_per_second,
            burst=rate.limit,
            remaining=rate.remaining,
            full_at=self._clock.now() + timedelta(seconds=rate.full_seconds),
        )
