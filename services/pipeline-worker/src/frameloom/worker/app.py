"""Wiring: settings to adapters to slots to the intake."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack

import structlog

from frameloom.common.adapters.kafka import Consumption, Intake, Kafka
from frameloom.common.adapters.mongo import Mongo, MongoFleetStore, MongoTaskStore
from frameloom.common.adapters.s3 import S3ObjectStore
from frameloom.common.background import cancelled
from frameloom.common.clock import SystemClock
from frameloom.common.documents import Liveness, PipelineOffer, Service
from frameloom.common.errors import ConfigurationError, FrameloomError
from frameloom.common.host import ChildrenProbe, versions_of
from frameloom.common.machines.retry import RetryPolicy
from frameloom.common.machines.task import TaskMachine
from frameloom.common.sampling import Sampled
from frameloom.common.service import Announcer, Shutdown
from frameloom.common.settings import (
    FleetSettings,
    KafkaSettings,
    LeaseSettings,
    MongoSettings,
    S3Settings,
    load,
)
from frameloom.worker.child.process import ChildProcess
from frameloom.worker.claims import Claims
from frameloom.worker.control import Control
from frameloom.worker.errors import TaskError
from frameloom.worker.execution import Execution
from frameloom.worker.frames.settings import FrameSettings
from frameloom.worker.gpus import GpuProbe
from frameloom.worker.intake import Worker
from frameloom.worker.materials import Materials
from frameloom.worker.media_cache import MediaCache
from frameloom.worker.settings import WorkerSettings
from frameloom.worker.slots import Slot
from frameloom.worker.workbook import Sample, WorkBook

_GROUP = "workers"
_LIBRARIES = (
    "torch",
    "onnxruntime",
    "onnxruntime-gpu",
    "av",
    "nvidia-dali-cuda130",
    "nvidia-dali-cuda120",
    "opencv-python-headless",
    "scenedetect-headless",
)
"""What decides how fast and how well a pipeline works here."""
log = structlog.get_logger(__name__)


async def main(shutdown: Shutdown) -> None:
    """Runs the worker until it is asked to end."""
    clock = SystemClock()
    settings, lease, kafka_settings = load(WorkerSettings), load(LeaseSettings), load(KafkaSettings)
    fleet_settings = load(FleetSettings)
    load(FrameSettings)  # for the children, who read it where they open a video: a wrong value is told now
    kafka, control = Kafka(kafka_settings, Service.WORKER), Control()
    kafka.consume(Consumption("control", (kafka.topics.control,), control.handle, group=None, hints=True))
    slots = [Slot(settings.extra_pipelines, settings.child_start_seconds) for _ in range(settings.slots)]
    async with AsyncExitStack() as stack:
        # The children import for a second or more: they start while the connections are made.
        starting = asyncio.gather(*(slot.child() for slot in slots))
        stack.push_async_callback(_reset, slots, starting)
        mongo = await stack.enter_async_context(Mongo.connected(load(MongoSettings)))
        objects = await stack.enter_async_context(S3ObjectStore.connected(load(S3Settings)))
        fleet = MongoFleetStore(mongo, fleet_settings.live_within_seconds)
        await _ready(starting)
        names = _chosen(settings.pipelines, slots[0].offers)
        await stack.enter_async_context(kafka.running(kafka.topics.of_pipelines(names)))
        await fleet.offer([offer for offer in slots[0].offers if offer.id in names or not offer.available])
        book = WorkBook(slots, clock)
        book.unavailable = {offer.id: offer.reason or "" for offer in slots[0].offers if not offer.available}
        sampled = _sampled(book, fleet_settings)
        announcer = Announcer(
            fleet,
            fleet_settings,
            Service.WORKER,
            clock,
            folder=settings.cache_dir,
            versions={**versions_of(_LIBRARIES), **slots[0].versions},
            parts=lambda: {"worker": book.facts(sampled.latest)},
        )
        announcer.member = announcer.member.model_copy(
            update={"slots": settings.slots, "pipelines": tuple(names)}
        )
        book.changed = announcer.touch
        machine = TaskMachine(RetryPolicy(), lease.seconds, lease.finalize_seconds)
        me = announcer.member.id
        claims = Claims(MongoTaskStore(mongo), kafka, kafka.topics.task_events, machine, me, clock)
        shared = names if settings.share_decode else []
        cache = MediaCache(objects, settings.cache_dir, settings.cache_bytes)
        materials = Materials(cache, objects, settings.cache_dir / "stitches")
        execution = Execution(
            claims, control, materials, kafka, kafka.topics, me, settings.task_timeout_seconds, clock
        )
        worker = Worker(slots, claims, execution, kafka, kafka.topics.dead_letters, book, shared)
        await stack.enter_async_context(sampled.running())
        await stack.enter_async_context(announcer.running())
        try:
            await _take_until(shutdown, worker, kafka, kafka_settings, names, announcer)
        finally:
            # Also when the intake has failed: what runs is given back while there is still a database.
            announcer.update(liveness=Liveness.DRAINING, assignment={})
            await worker.drain(settings.grace_seconds if shutdown.asked else 0.0)


def _sampled(book: WorkBook, settings: FleetSettings) -> Sampled[Sample]:
    """GPUs and children are looked at by a thread of their own: a driver may take its time."""
    gpus, children = GpuProbe(), ChildrenProbe()

    def look() -> Sample:
        return Sample(gpus=gpus.read(), children=children.read(book.pids()))

    return Sampled(look, settings.announce_every_seconds, "worker-sampler", Sample())


async def _take_until(
    shutdown: Shutdown,
    worker: Worker,
    kafka: Kafka,
    settings: KafkaSettings,
    names: Sequence[str],
    announcer: Announcer,
) -> None:
    """Takes tasks until the process is asked to end; then leaves the group, so that others take over."""
    async with Intake.opened(
        settings,
        [kafka.topics.tasks(name) for name in names],
        group=_GROUP,
        room=worker.room,
        assigned=lambda partitions: announcer.update(assignment=partitions),
    ) as intake:
        log.info("taking tasks", pipelines=list(names), slots=worker.room())
        taking = asyncio.create_task(worker.take(intake), name="intake")
        asked = asyncio.create_task(shutdown.wait())
        try:
            await asyncio.wait({taking, asked}, return_when=asyncio.FIRST_COMPLETED)
            if taking.done():
                taking.result()
        finally:
            await cancelled(asked, taking)


async def _ready(starting: asyncio.Future[list[ChildProcess]]) -> None:
    try:
        await starting
    except TaskError as error:
        raise FrameloomError(error.message, hint="The worker's log above tells what failed.") from error


async def _reset(slots: Sequence[Slot], starting: asyncio.Future[list[ChildProcess]]) -> None:
    await cancelled(starting)
    for slot in slots:
        await slot.reset()


def _chosen(wanted: Sequence[str], offers: Sequence[PipelineOffer]) -> list[str]:
    """The pipelines to run: those asked for, else all that can run here.

    Raises:
        ConfigurationError: One asked for is not installed or can not run here; or none can.
    """
    known = {offer.id: offer for offer in offers}
    if unknown := [name for name in wanted if name not in known]:
        raise ConfigurationError(
            f"No such pipeline: {', '.join(unknown)}", hint=f"Installed are: {', '.join(sorted(known))}"
        )
    if lame := [known[name] for name in wanted if not known[name].available]:
        raise ConfigurationError("; ".join(f"{offer.id} can not run here: {offer.reason}" for offer in lame))
    names = list(wanted) or [offer.id for offer in offers if offer.available]
    if not names:
        reasons = "; ".join(f"{offer.id}: {offer.reason}" for offer in offers)
        raise ConfigurationError(f"No pipeline can run here. {reasons}")
    return names
