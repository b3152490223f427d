"""The wiring: settings to adapters to services to handlers to a listening server, and the way back."""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import partial

import structlog
from aiohttp import web

from frameloom.common import __version__
from frameloom.common.adapters.kafka import Consumption, Kafka
from frameloom.common.clock import SystemClock
from frameloom.common.documents import Liveness
from frameloom.common.events import Event
from frameloom.common.service import Shutdown
from frameloom.common.settings import KafkaSettings, load
from frameloom.gateway import intake
from frameloom.gateway.descriptors import allow_descriptors
from frameloom.gateway.handlers.debug import DebugHandlers
from frameloom.gateway.handlers.direct import DirectHandlers
from frameloom.gateway.handlers.events import EventHandlers
from frameloom.gateway.handlers.files import FileHandlers
from frameloom.gateway.handlers.health import HealthHandlers
from frameloom.gateway.handlers.jobs import JobHandlers
from frameloom.gateway.handlers.keys import KeyHandlers
from frameloom.gateway.handlers.pipelines import PipelineHandlers
from frameloom.gateway.handlers.results import ResultHandlers
from frameloom.gateway.handlers.system import SystemHandlers
from frameloom.gateway.handlers.uploads import UploadHandlers
from frameloom.gateway.handlers.validation import ValidationHandlers
from frameloom.gateway.handlers.viewer import ViewerHandlers
from frameloom.gateway.http.audit import Audit
from frameloom.gateway.http.cors import Cors
from frameloom.gateway.http.docs import add_docs
from frameloom.gateway.http.forms import FormReader
from frameloom.gateway.http.guard import Guard
from frameloom.gateway.http.listening import drain, listening
from frameloom.gateway.http.openapi import document
from frameloom.gateway.http.recording import Recording
from frameloom.gateway.http.server import build
from frameloom.gateway.http.viewer import ViewerCopy, add_viewer
from frameloom.gateway.ports import Ports, connected
from frameloom.gateway.routes import Handlers, operations
from frameloom.gateway.services.access import Access
from frameloom.gateway.services.artifacts import ArtifactService
from frameloom.gateway.services.catalogue import Catalogue
from frameloom.gateway.services.debug import DebugService
from frameloom.gateway.services.direct import DirectService
from frameloom.gateway.services.files import FileStore
from frameloom.gateway.services.finishing import UploadKeeper
from frameloom.gateway.services.gate import MediaGate
from frameloom.gateway.services.health import HealthService
from frameloom.gateway.services.jobs import JobService
from frameloom.gateway.services.key_watch import KeyWatch
from frameloom.gateway.services.live import LiveEvents
from frameloom.gateway.services.metrics import Metrics
from frameloom.gateway.services.mock_events import MockEvents
from frameloom.gateway.services.passes import PassService
from frameloom.gateway.services.quotas import Quotas
from frameloom.gateway.services.results import ResultService
from frameloom.gateway.services.streams import StreamService
from frameloom.gateway.services.submission import SubmissionService
from frameloom.gateway.services.tally import Tally
from frameloom.gateway.services.uploads import UploadService
from frameloom.gateway.services.validation import ValidationService
from frameloom.gateway.services.viewer import ViewerService
from frameloom.gateway.services.watch import Watch, Watched
from frameloom.gateway.settings import Settings

log = structlog.get_logger(__name__)
UPLOAD_KEEPER = web.AppKey("upload_keeper", UploadKeeper)
"""To be run beside the application."""
_DESCRIPTION = (
    "Turns video and audio into annotations. Speaks the VideoAnnotator v1 API: post a file to "
    "`/api/v1/jobs/`, follow it at `/api/v1/events/stream`, and fetch the files that its results name."
)


def application(settings: Settings, ports: Ports, access: Access) -> web.Application:
    """The whole API over these ports for those who have access, its documentation, and the viewer.

    Raises:
        ConfigurationError: The viewer's folder holds none.
    """
    handlers, keeper = _handlers(settings, ports, access)
    table = operations(handlers)
    own = settings.gateway
    app = build(
        table,
        identify=Guard(access, key_in_query=own.key_in_query),
        audit=Audit(access),
        recording=Recording(ports.recorder, ports.clock),
        forms=FormReader(
            file_field="video",
            max_file_bytes=own.max_upload_bytes,
            max_field_bytes=own.max_config_bytes,
            pace=intake.pace(settings),
        ),
        cors=Cors(own.cors_origins),
    )
    add_docs(app, document(table, title="Frameloom API", version=__version__, description=_DESCRIPTION))
    add_viewer(app, None if settings.viewer.dir is None else ViewerCopy(settings.viewer.dir))

    app[UPLOAD_KEEPER] = keeper

    async def end_streams(_: web.Application) -> None:
        ports.hub.close()

    app.on_shutdown.append(end_streams)
    return app


async def main(shutdown: Shutdown) -> None:
    """Runs the gateway until it is asked to end.

    Raises:
        ConfigurationError: The settings can not work, or the address is taken.
        TransientError: A dependency did not answer at the start.
    """
    settings = Settings.loaded()
    own = settings.gateway
    async with AsyncExitStack() as stack:
        hub = LiveEvents(
            SystemClock(),
            queue_size=own.stream_queue,
            max_streams=own.max_streams,
            heartbeat_seconds=own.heartbeat_seconds,
        )
        kafka = Kafka(load(KafkaSettings), "gateway")
        feed = (kafka.topics.events, kafka.topics.progress)
        ports = await connected(stack, settings, kafka, hub)
        hear = partial(_hear, hub, ports.tally)
        kafka.consume(Consumption(name="live-events", topics=feed, handler=hear, group=None))
        await stack.enter_async_context(hub.running(ports.jobs))
        await stack.enter_async_context(kafka.running())
        await stack.enter_async_context(ports.tally.running())
        await stack.enter_async_context(ports.relay.running())
        access = await Access.opened(settings, ports.keys, ports.secrets, ports.clock)
        await stack.enter_async_context(access.ring.running())
        watch = KeyWatch(hub, ports.keys, ports.clock, settings.auth.cache_seconds)
        await stack.enter_async_context(watch.running())
        allow_descriptors(own.max_streams)
        app = application(settings, ports, access)
        await stack.enter_async_context(app[UPLOAD_KEEPER].running())
        runner = await listening(app, own.host, own.port)
        stack.push_async_callback(runner.cleanup)
        await stack.enter_async_context(ports.announcer.running())
        await shutdown.wait_or_failure(lambda: kafka.failed)
        ports.announcer.update(liveness=Liveness.DRAINING)
        log.info("draining", grace_seconds=own.shutdown_grace_seconds)
        await drain(runner, app, hub.close, own.shutdown_grace_seconds)


def _handlers(settings: Settings, ports: Ports, access: Access) -> tuple[Handlers, UploadKeeper]:
    own = settings.gateway
    quotas = Quotas(ports.jobs, access.ring, settings.limits)
    jobs = JobService(ports.jobs, ports.tally, quotas, ports.relay, ports.clock)
    catalogue = Catalogue(ports.fleet, accept_unoffered=own.accept_unoffered)
    validation = ValidationService(catalogue)
    streams = StreamService(ports.hub, ports.jobs, ports.clock, overlap_seconds=own.replay_overlap_seconds)
    gate = MediaGate(ports.uploads, ports.prober, intake.limits(settings))
    submissions = SubmissionService(
        ports.jobs,
        ports.tally,
        gate,
        validation,
        ports.relay,
        ports.clock,
        quotas,
        intake.fetcher(settings),
    )
    uploads = UploadService(
        ports.unfinished,
        ports.jobs,
        ports.uploads,
        gate,
        submissions,
        quotas,
        ports.clock,
        settings.resumable,
        own.max_upload_bytes,
    )
    store = FileStore(ports.objects, settings.files)
    watch = _watch(settings, ports)
    handlers = Handlers(
        jobs=JobHandlers(jobs, submissions),
        results=ResultHandlers(ResultService(jobs, ports.tasks, catalogue), store),
        files=FileHandlers(ArtifactService(jobs, ports.objects), store),
        pipelines=PipelineHandlers(catalogue),
        validation=ValidationHandlers(validation),
        events=EventHandlers(
            streams,
            PassService(access.tokens, streams, ports.clock),
            write_timeout_seconds=own.stream_write_timeout_seconds,
            heartbeat_seconds=own.heartbeat_seconds,
        ),
        health=HealthHandlers(HealthService(watch, ports.tally), ports.clock),
        system=SystemHandlers(watch, Metrics(ports.recorder), settings),
        keys=KeyHandlers(access.keys),
        viewer=ViewerHandlers(ViewerService(access.tokens, access.keys, ports.clock, settings.viewer)),
        debug=_debug(settings, ports, access, watch),
        uploads=UploadHandlers(uploads, intake.pace(settings)),
        direct=DirectHandlers(
            DirectService(uploads, ports.uploads, gate, ports.clock, settings.resumable), jobs
        ),
    )
    return handlers, uploads.keeper


def _debug(settings: Settings, ports: Ports, access: Access, watch: Watch) -> DebugHandlers | None:
    if not settings.diagnostics.debug:
        return None
    service = DebugService(ports.jobs, ports.tasks, ports.tally, watch, ports.recorder, access, ports.clock)
    mock = MockEvents(ports.clock, settings.diagnostics.mock_event_seconds)
    return DebugHandlers(service, mock, settings.diagnostics)


def _watch(settings: Settings, ports: Ports) -> Watch:
    watched = Watched(
        jobs=ports.jobs,
        tasks=ports.tasks,
        fleet=ports.fleet,
        database=ports.database,
        tally=ports.tally,
        me=ports.announcer.current,
        probes=ports.probes,
        clock=ports.clock,
    )
    return Watch(
        watched,
        every_seconds=settings.diagnostics.status_seconds,
        timeout_seconds=settings.gateway.probe_timeout_seconds,
    )


async def _hear(hub: LiveEvents, tally: Tally, event: Event) -> None:
    """Counts before it tells: who asks for the list upon an event finds it there."""
    await tally.heard(event)
    await hub.handle(event)
