"""The whole system: health, figures, configuration, database."""

from __future__ import annotations

from dataclasses import dataclass

from frameloom.gateway.http.answers import PlainText
from frameloom.gateway.schemas.system import (
    FeaturesShape,
    SystemConfigResponse,
    SystemDatabaseResponse,
    SystemHealthResponse,
    SystemMetricsResponse,
)
from frameloom.gateway.services.caller import Caller
from frameloom.gateway.services.configured import configured
from frameloom.gateway.services.metrics import CONTENT_TYPE, Metrics
from frameloom.gateway.services.watch import Watch
from frameloom.gateway.settings import Settings
from frameloom.gateway.views import figures
from frameloom.gateway.views import system as views
from frameloom.gateway.views.fleet import sees_insides


@dataclass(frozen=True, slots=True)
class SystemHandlers:
    """How everything is."""

    watch: Watch
    counted: Metrics
    settings: Settings

    async def health(self, caller: Caller) -> SystemHealthResponse:
        """Tell how every process of the fleet and every server behind it is.

        Always 200: `status` tells, and `problems` says what is wrong. Needs no key. Without one, numbers and
        states are told; host names, paths and process ids only to admins, ids of jobs only to their tenant.
        """
        required = self.settings.auth.required
        return views.health(await self.watch.overview(), caller, auth_required=required)

    async def figures(self) -> SystemMetricsResponse:
        """Tell counts over the whole installation, and how busy the gateway's host is.

        Counts that need a look at every task ever made are not made for each request:
        `counted_seconds_ago` is their age.
        """
        overview = await self.watch.overview()
        return figures.metrics(overview, await self.watch.history())

    async def configuration(self, caller: Caller) -> SystemConfigResponse:
        """Tell what is really set. No secret is ever told; addresses and folders only to admins."""
        settings = self.settings
        return SystemConfigResponse(
            configuration=configured(settings.by_subject(), insides=sees_insides(caller)),
            environment=settings.diagnostics.environment,
            features=FeaturesShape(
                authentication=settings.auth.required,
                rate_limiting=settings.limits.requests_per_second > 0,
                webhooks=False,
                async_processing=True,
                metrics=settings.diagnostics.metrics,
                debug=settings.diagnostics.debug,
                viewer=settings.viewer.dir is not None,
                resumable_uploads=True,
                download_redirects=settings.files.redirect,
            ),
        )

    async def database(self, caller: Caller) -> SystemDatabaseResponse:
        """Tell what the database says of itself, and how much is in it. Its address only to admins."""
        report = await self.watch.database()
        overview = await self.watch.overview()
        return figures.database(report, overview.jobs, await self.watch.history(), caller)

    async def exposition(self) -> PlainText:
        """Tell all metrics as Prometheus reads them: counters of this gateway, gauges of the fleet."""
        return PlainText(self.counted.exposition(await self.watch.overview()), CONTENT_TYPE)
