"""For those who look for a fault."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from frameloom.common.errors import FrameloomError
from frameloom.gateway.http.trickle import Trickle
from frameloom.gateway.http.typed import FromPath, FromQuery
from frameloom.gateway.schemas.debug import (
    BackgroundJobsResponse,
    DebugPipelinesResponse,
    JobDebugResponse,
    MockEventsQuery,
    RequestLogQuery,
    RequestLogResponse,
    ServerInfoResponse,
    TokenInfoResponse,
)
from frameloom.gateway.services.caller import Caller
from frameloom.gateway.services.debug import DebugService
from frameloom.gateway.services.mock_events import MockEvents
from frameloom.gateway.settings import DiagnosticsSettings
from frameloom.gateway.views import debug as views
from frameloom.gateway.views import job_debug, pipeline_debug


@dataclass(frozen=True, slots=True)
class DebugHandlers:
    """What is only there where the operator has switched it on."""

    service: DebugService
    mock: MockEvents
    settings: DiagnosticsSettings

    async def server_info(self, caller: Caller) -> ServerInfoResponse:
        """Tell of this gateway: process, host, database, requests; and of the fleet around it."""
        overview, report = await self.service.overview(), None
        with suppress(FrameloomError):  # connection_status says that it does not answer
            report = await self.service.database()
        return views.server_info(
            overview, report, self.service.last_hour(), self.settings.environment, caller
        )

    async def token_info(self, caller: Caller) -> TokenInfoResponse:
        """Tell of the key of this request: its scopes, its life, its limit of requests, its use."""
        return views.token_info(await self.service.token(caller))

    async def pipelines(self, caller: Caller) -> DebugPipelinesResponse:
        """Tell of every offered pipeline: which worker runs it, which of its models are loaded and where."""
        return pipeline_debug.pipelines(await self.service.overview(), caller)

    async def job(self, caller: Caller, job_id: FromPath[str]) -> JobDebugResponse:
        """Tell everything about a job: waiting and running times, every attempt, its event log."""
        return job_debug.job(await self.service.job(caller, job_id))

    async def request_log(self, caller: Caller, query: FromQuery[RequestLogQuery]) -> RequestLogResponse:
        """Tell the latest requests that this gateway has answered: those of the caller's tenant.

        Neither headers nor keys nor the values in paths are remembered. The operator sees all tenants'.
        """
        log = self.service.requests(caller, query.limit)
        overview = await self.service.overview()
        return views.request_log(log, overview, self.settings.request_log_entries)

    async def mock_events(self, query: FromQuery[MockEventsQuery]) -> Trickle:
        """Send ten invented events, for those who write a client. Each says `"mock": true`.

        The real ones are at `/api/v1/events/stream`.
        """
        return Trickle(self.mock.stream(query.job_id))

    async def background_jobs(self, caller: Caller) -> BackgroundJobsResponse:
        """Tell what all workers do now: their slots, the queue, the schedulers."""
        return views.background_jobs(await self.service.overview(), caller)
