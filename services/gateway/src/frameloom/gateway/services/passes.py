"""Tokens for a browser, whose ``EventSource``, ``WebSocket`` and ``<video>`` can send no header."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from frameloom.common.clock import Clock
from frameloom.gateway.services.caller import Caller, Scope
from frameloom.gateway.services.streams import StreamService
from frameloom.gateway.services.tokens import Tokens

_SCOPES = (Scope.JOBS_READ, Scope.RESULTS_READ)


@dataclass(frozen=True, slots=True)
class Pass:
    """A token, and until when it opens streams and videos."""

    token: str
    expires_at: datetime


class PassService:
    """Issues tokens that are good for event streams and, if the key reads results, for the jobs' videos."""

    def __init__(self, tokens: Tokens, streams: StreamService, clock: Clock) -> None:
        self._tokens = tokens
        self._streams = streams
        self._clock = clock

    async def issue(self, caller: Caller, job_id: str | None, ttl: timedelta) -> Pass:
        """A token in the caller's name.

        Args:
            caller: For whom.
            job_id: Only for this job; None: for all that the caller sees.
            ttl: How long it opens them.

        Raises:
            JobNotFoundError: The job is not the caller's.
        """
        if job_id is not None:
            await self._streams.own(caller, job_id)
        token = self._tokens.issue(caller, "events", ttl, scopes=_SCOPES, job_id=job_id)
        return Pass(token, self._clock.now() + ttl)
