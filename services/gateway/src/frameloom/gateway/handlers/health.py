"""Health, for people, probes and the embedded stack."""

from __future__ import annotations

from frameloom.common import __version__
from frameloom.common.clock import Clock
from frameloom.gateway.http.typed import Answer, FromQuery
from frameloom.gateway.schemas.health import HealthQuery, HealthResponse, ServerHealthResponse
from frameloom.gateway.services.caller import Caller
from frameloom.gateway.services.health import HealthService
from frameloom.gateway.version import FOLLOWED_VERSION

_UNHEALTHY = 503


class HealthHandlers:
    """Whether it works."""

    def __init__(self, health: HealthService, clock: Clock) -> None:
        self._health = health
        self._clock = clock

    async def health(self, caller: Caller, query: FromQuery[HealthQuery]) -> Answer[HealthResponse]:
        """Tell that the gateway answers; with `detailed`, also its dependencies and the other services.

        A service without a live process is `missing` in `details.services` and makes nothing unhealthy:
        jobs are accepted and wait for it.
        """
        if not query.detailed:
            return Answer(self._response(ok=True), 200)
        report = await self._health.report(caller)
        response = self._response(ok=report.ok).model_copy(update={"details": report.details})
        return Answer(response, 200 if report.ok else _UNHEALTHY)

    async def server_health(self) -> ServerHealthResponse:
        """Tell in short how the server is."""
        database = await self._health.database()
        ok = database.ok
        return ServerHealthResponse(
            status="healthy" if ok else "unhealthy",
            api_version=FOLLOWED_VERSION,
            videoannotator_version=FOLLOWED_VERSION,
            message="API server is running" if ok else "The database does not answer",
            logging="structured",
            memory_percent=self._health.memory_percent(),
            database={
                "status": "healthy" if ok else "unhealthy",
                "message": database.message,
            },
        )

    def _response(self, *, ok: bool) -> HealthResponse:
        return HealthResponse(
            status="ok" if ok else "unhealthy", version=__version__, timestamp=self._clock.now()
        )
