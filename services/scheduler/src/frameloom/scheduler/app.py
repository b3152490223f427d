"""Wiring: settings to adapters to services to consumers."""

from __future__ import annotations

from contextlib import AsyncExitStack

import structlog

from frameloom.common.adapters.kafka import Consumption, Kafka
from frameloom.common.adapters.mongo import Mongo, MongoFleetStore, MongoJobStore, MongoTaskStore
from frameloom.common.clock import SystemClock
from frameloom.common.documents import Service
from frameloom.common.machines.retry import RetryPolicy
from frameloom.common.machines.task import TaskMachine
from frameloom.common.relay import JobRelay
from frameloom.common.service import Announcer, Shutdown
from frameloom.common.settings import FleetSettings, KafkaSettings, LeaseSettings, MongoSettings, load
from frameloom.scheduler.canceller import Canceller
from frameloom.scheduler.dispatcher import Dispatcher
from frameloom.scheduler.folder import Folder
from frameloom.scheduler.handlers import Handlers
from frameloom.scheduler.planner import Planner
from frameloom.scheduler.segmentations import Segmentations
from frameloom.scheduler.settings import SchedulerSettings
from frameloom.scheduler.stitches import Stitches
from frameloom.scheduler.sweeper import Sweeper

_GROUP = "scheduler"
log = structlog.get_logger(__name__)


async def main(shutdown: Shutdown) -> None:
    """Runs the scheduler until it is asked to end."""
    clock = SystemClock()
    fleet_settings, lease, settings = load(FleetSettings), load(LeaseSettings), load(SchedulerSettings)
    kafka = Kafka(load(KafkaSettings), Service.SCHEDULER)
    machine = TaskMachine(RetryPolicy(), lease.seconds, lease.finalize_seconds)
    async with AsyncExitStack() as stack:
        mongo = await stack.enter_async_context(Mongo.connected(load(MongoSettings)))
        jobs, tasks = MongoJobStore(mongo), MongoTaskStore(mongo)
        fleet = MongoFleetStore(mongo, fleet_settings.live_within_seconds)
        for store in (jobs, tasks, fleet):
            await store.create_indexes()
        relay = JobRelay(jobs, kafka, kafka.topics.events)
        canceller = Canceller(jobs, tasks, kafka, kafka.topics.control, machine, clock)
        segmentations = Segmentations(fleet, settings.segment_limits, clock)
        planner = Planner(jobs, tasks, segmentations, canceller, clock)
        stitches = Stitches(tasks, canceller, machine, clock)
        folder = Folder(jobs, tasks, relay, canceller, stitches, kafka, kafka.topics.dead_letters, clock)
        dispatcher = Dispatcher(tasks, fleet, kafka, kafka.topics, machine, settings, clock)
        sweeper = Sweeper(
            jobs, tasks, machine, planner, canceller, folder, dispatcher, relay, settings, clock
        )
        handlers = Handlers(planner, canceller, folder, dispatcher)
        kafka.consume(Consumption("job-events", (kafka.topics.events,), handlers.on_job_event, group=_GROUP))
        kafka.consume(
            Consumption(
                "task-events", (kafka.topics.task_events,), handlers.on_task_changed, group=f"{_GROUP}.tasks"
            )
        )
        await stack.enter_async_context(kafka.running())
        await stack.enter_async_context(relay.running())  # ends first: its last events need the broker
        await stack.enter_async_context(dispatcher.running())
        await stack.enter_async_context(sweeper.running())
        announcer = Announcer(
            fleet, fleet_settings, Service.SCHEDULER, clock, parts=lambda: {"scheduler": sweeper.facts}
        )
        await stack.enter_async_context(announcer.running())
        log.info("scheduling")
        await shutdown.wait_or_failure(lambda: kafka.failed)
