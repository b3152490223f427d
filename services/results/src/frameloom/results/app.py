"""Wiring: settings to adapters to services to consumers."""

from __future__ import annotations

import tempfile
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import structlog

from frameloom.common.adapters.kafka import Consumption, Kafka
from frameloom.common.adapters.mongo import Mongo, MongoFleetStore, MongoJobStore, MongoTaskStore
from frameloom.common.adapters.s3 import S3ObjectStore
from frameloom.common.clock import SystemClock
from frameloom.common.documents import Service
from frameloom.common.machines.retry import RetryPolicy
from frameloom.common.machines.task import TaskMachine
from frameloom.common.ports.objects import ObjectStore
from frameloom.common.ports.stores import JobStore, TaskStore
from frameloom.common.service import Announcer, Shutdown
from frameloom.common.settings import (
    FleetSettings,
    KafkaSettings,
    LeaseSettings,
    MongoSettings,
    S3Settings,
    load,
)
from frameloom.results.chunks import ChunkStore
from frameloom.results.deletion import Purger, Retention
from frameloom.results.handlers import Handlers
from frameloom.results.orphans import OrphanSweeper
from frameloom.results.publishing import Finisher
from frameloom.results.quarantine import QuarantineSweeper
from frameloom.results.settings import ResultsSettings
from frameloom.results.tidying import Tidier

_GROUP = "results"
log = structlog.get_logger(__name__)


async def main(shutdown: Shutdown) -> None:
    """Runs the results service until it is asked to end."""
    clock = SystemClock()
    fleet_settings, lease, settings = load(FleetSettings), load(LeaseSettings), load(ResultsSettings)
    kafka = Kafka(load(KafkaSettings), Service.RESULTS)
    machine = TaskMachine(RetryPolicy(), lease.seconds, lease.finalize_seconds)
    async with AsyncExitStack() as stack:
        mongo = await stack.enter_async_context(Mongo.connected(load(MongoSettings)))
        objects = await stack.enter_async_context(S3ObjectStore.connected(load(S3Settings)))
        jobs, tasks = MongoJobStore(mongo), MongoTaskStore(mongo)
        fleet = MongoFleetStore(mongo, fleet_settings.live_within_seconds)
        chunks = ChunkStore(objects)
        finisher = Finisher(
            tasks, objects, chunks, kafka, kafka.topics.task_events, machine, clock, settings.scratch_dir
        )
        handlers = Handlers(tasks, chunks, finisher)
        kafka.consume(
            Consumption("annotations", (kafka.topics.annotations,), handlers.on_annotations, group=_GROUP)
        )
        await stack.enter_async_context(kafka.running())
        tidier = Tidier(jobs, tasks, objects, settings.tidy_every_seconds, clock)
        await stack.enter_async_context(tidier.running())
        await stack.enter_async_context(_purger(jobs, tasks, objects, settings).running())
        if settings.retention_days is not None:
            retention = Retention(jobs, timedelta(days=settings.retention_days), clock)
            await stack.enter_async_context(retention.running())
        orphans = OrphanSweeper(jobs, objects, timedelta(seconds=settings.orphan_after_seconds), clock)
        await stack.enter_async_context(orphans.running())
        quarantine = QuarantineSweeper(objects, timedelta(seconds=settings.quarantine_after_seconds), clock)
        await stack.enter_async_context(quarantine.running())
        announcer = Announcer(
            fleet,
            fleet_settings,
            Service.RESULTS,
            clock,
            folder=settings.scratch_dir or Path(tempfile.gettempdir()),
            parts=lambda: {"results": handlers.facts},
        )
        await stack.enter_async_context(announcer.running())
        log.info("storing results")
        await shutdown.wait_or_failure(lambda: kafka.failed)


def _purger(jobs: JobStore, tasks: TaskStore, objects: ObjectStore, settings: ResultsSettings) -> Purger:
    return Purger(
        jobs,
        tasks,
        objects,
        after_seconds=settings.purge_after_seconds,
        every_seconds=settings.tidy_every_seconds,
    )
