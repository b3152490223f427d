"""What the gateway needs of the world, and the real adapters of it."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from frameloom.common.adapters.kafka import Kafka
from frameloom.common.adapters.mongo import (
    Mongo,
    MongoDatabase,
    MongoFleetStore,
    MongoJobStore,
    MongoKeyStore,
    MongoSecretStore,
    MongoTaskStore,
    MongoUploadStore,
)
from frameloom.common.adapters.s3 import S3ObjectStore
from frameloom.common.adapters.s3_parts import S3PartedStore
from frameloom.common.clock import Clock, SystemClock
from frameloom.common.documents import Service
from frameloom.common.errors import BrokerUnavailableError
from frameloom.common.host import versions_of
from frameloom.common.ports.database import Database
from frameloom.common.ports.objects import ObjectStore
from frameloom.common.ports.parts import PartedStore
from frameloom.common.ports.stores import (
    FleetStore,
    JobStore,
    KeyStore,
    SecretStore,
    TaskStore,
    UploadStore,
)
from frameloom.common.relay import JobRelay
from frameloom.common.service import Announcer
from frameloom.common.settings import FleetSettings, MongoSettings, S3Settings, load
from frameloom.gateway import intake
from frameloom.gateway.probe.prober import Prober
from frameloom.gateway.services.live import LiveEvents
from frameloom.gateway.services.recorder import Recorder
from frameloom.gateway.services.tally import Tally
from frameloom.gateway.services.watch import Probe
from frameloom.gateway.settings import Settings


@dataclass(frozen=True, slots=True)
class Ports:
    """What the gateway needs of the world.

    Attributes:
        uploads: The object store again, with threads of its own: slow uploads must not hold up downloads.
        prober: Looks into uploads.
        unfinished: Uploads that come in parts.
        tally: Knows how many jobs there are; hears the same events as the hub.
        recorder: Keeps the books of requests.
        announcer: Tells the fleet of this process.
        probes: By dependency, a call that fails when it does not answer.
    """

    jobs: JobStore
    tasks: TaskStore
    fleet: FleetStore
    keys: KeyStore
    secrets: SecretStore
    objects: ObjectStore
    uploads: PartedStore
    unfinished: UploadStore
    relay: JobRelay
    hub: LiveEvents
    tally: Tally
    prober: Prober
    database: Database
    recorder: Recorder
    announcer: Announcer
    clock: Clock
    probes: Mapping[str, Probe]


async def connected(stack: AsyncExitStack, settings: Settings, kafka: Kafka, hub: LiveEvents) -> Ports:
    """The real adapters, connected until the stack ends, their indexes in place.

    Raises:
        TransientError: A server did not answer.
    """
    own, s3, fleet_settings = settings.gateway, load(S3Settings), load(FleetSettings)
    mongo = await stack.enter_async_context(Mongo.connected(load(MongoSettings)))
    objects = await stack.enter_async_context(S3ObjectStore.connected(s3))
    uploading = s3.model_copy(update={"threads": own.max_concurrent_uploads})
    uploads = await stack.enter_async_context(S3PartedStore.connected(uploading))
    jobs, tasks, keys = MongoJobStore(mongo), MongoTaskStore(mongo), MongoKeyStore(mongo)
    clock = SystemClock()
    fleet = MongoFleetStore(mongo, fleet_settings.live_within_seconds)
    unfinished = MongoUploadStore(mongo)
    for store in (jobs, tasks, fleet, keys, unfinished):
        await store.create_indexes()

    async def broker_answers() -> None:
        if not await kafka.broker.ping(own.probe_timeout_seconds):
            raise BrokerUnavailableError("The broker does not answer")

    recorder = Recorder(settings.diagnostics.request_log_entries, lambda: hub.open)
    announcer = Announcer(
        fleet,
        fleet_settings,
        Service.GATEWAY,
        clock,
        folder=Path(tempfile.gettempdir()),
        versions=versions_of(("aiohttp",)),
        parts=lambda: {"gateway": recorder.facts()},
    )
    return Ports(
        jobs=jobs,
        tasks=tasks,
        fleet=fleet,
        keys=keys,
        secrets=MongoSecretStore(mongo),
        objects=objects,
        uploads=uploads,
        unfinished=unfinished,
        relay=JobRelay(jobs, kafka, kafka.topics.events),
        hub=hub,
        tally=Tally(jobs, clock),
        prober=await stack.enter_async_context(intake.prober(settings)),
        database=MongoDatabase(mongo),
        recorder=recorder,
        announcer=announcer,
        clock=clock,
        probes={"storage": objects.ping, "broker": broker_answers},
    )
