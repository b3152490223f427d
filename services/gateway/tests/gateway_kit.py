"""What the gateway's unit tests stand on: the application over the ports in memory."""

from __future__ import annotations

import asyncio
import io
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import av
from aiohttp.test_utils import TestClient, TestServer

from frameloom.common.adapters.memory import (
    MemoryDatabase,
    MemoryFleetStore,
    MemoryJobStore,
    MemoryKeyStore,
    MemoryPublisher,
    MemorySecretStore,
    MemoryTaskStore,
    MemoryUploadStore,
)
from frameloom.common.adapters.memory.parts import MemoryPartedStore
from frameloom.common.clock import ManualClock
from frameloom.common.documents import (
    LISTED,
    FleetMember,
    JobDocument,
    JobEvent,
    JobStatus,
    MediaFacts,
    MediaRef,
    PipelineOffer,
    Service,
)
from frameloom.common.events import JobEventMessage
from frameloom.common.machines.transition import Change
from frameloom.common.pipelines import Output, PipelineInfo
from frameloom.common.relay import JobRelay
from frameloom.common.service import Announcer
from frameloom.common.settings import FleetSettings
from frameloom.gateway.app import application
from frameloom.gateway.http.typed import Operation
from frameloom.gateway.ports import Ports
from frameloom.gateway.probe.examination import examined
from frameloom.gateway.probe.prober import Examined, Prober
from frameloom.gateway.probe.rules import ProbeLimits
from frameloom.gateway.services.access import Access
from frameloom.gateway.services.live import LiveEvents
from frameloom.gateway.services.recorder import Recorder
from frameloom.gateway.services.tally import Tally
from frameloom.gateway.settings import (
    AuthSettings,
    DiagnosticsSettings,
    FileSettings,
    GatewaySettings,
    LimitSettings,
    ResumableSettings,
    Settings,
    UploadSettings,
    UrlSettings,
    ViewerSettings,
)

KEY = f"va_{'k' * 43}"
"""The operator's key, which allows everything; the client of :class:`Gateway` sends it."""
KEY_LINE = f"Authorization: Bearer {KEY}\r\n".encode()
"""The same for a request that is written by hand."""
SECRET = "a secret of the tests, which is long enough"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "threshold": {"type": "number", "minimum": 0, "maximum": 100, "default": 30.0, "description": "Cut"},
        "mode": {"anyOf": [{"enum": ["fast", "exact"], "type": "string"}, {"type": "null"}], "default": None},
        "window": {"$ref": "#/$defs/Window"},
    },
    "$defs": {
        "Window": {
            "type": "object",
            "required": ["seconds"],
            "properties": {"seconds": {"type": "integer", "exclusiveMinimum": 0}},
        }
    },
}


def tiny_video(frames: int = 5, size: tuple[int, int] = (64, 48), codec: str = "mpeg4") -> bytes:
    """A real MP4 at 25 frames a second, of 6 kB or more: the rest of it is a box that players skip."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for _ in range(frames):
            frame = av.VideoFrame(*size, "yuv420p")
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    body = file.getvalue()
    rest = max(8, 6000 - len(body))
    return body + struct.pack(">I4s", rest, b"free") + bytes(rest - 8)


MP4 = tiny_video()


class LocalProber:
    """Looks into uploads as the real one does, but in this process: for media that the tests make."""

    async def probe(self, media: Examined) -> MediaFacts:
        limits = ProbeLimits(
            duration_seconds=86_400, pixels=10**8, fps=1000, streams=32, bit_depth=16, read_bytes=10**8
        )
        body = await media.read(0, media.size_bytes)
        return await asyncio.to_thread(examined, io.BytesIO(body), len(body), media.demuxer, limits)


def offer(
    name: str, *, available: bool = True, reason: str | None = None, modalities: tuple[str, ...] = ()
) -> PipelineOffer:
    info = PipelineInfo(
        name=name,
        version="1.0",
        display_name=name.title(),
        description=f"The pipeline {name}",
        pipeline_family=name.split("_", maxsplit=1)[0],
        variant="plain",
        modalities=modalities,
        outputs=(Output(format="COCO", types=("boxes",)),),
        config_schema=SCHEMA,
    )
    return PipelineOffer(id=name, info=info, available=available, reason=reason)


class HeardJobStore(MemoryJobStore):
    """A store whose every write reaches the gateway's tally, as in production the events do."""

    tally: Tally

    async def insert(self, job: JobDocument) -> None:
        await super().insert(job)
        self.tally.wrote(job)

    async def apply(self, change: Change[JobDocument]) -> JobDocument | None:
        job = await super().apply(change)
        if job is not None and job.status in LISTED:
            self.tally.wrote(job)
        return job


class AddressedStore(MemoryPartedStore):
    """A store in memory that gives addresses; whoever has one writes by hand what a client would."""

    async def presigned_put(self, key: str, *, seconds: int) -> str | None:
        return f"memory://{key}?seconds={seconds}"

    async def presigned_part(self, key: str, store_id: str, number: int, *, seconds: int) -> str | None:
        return f"memory://{key}?upload={store_id}&number={number}&seconds={seconds}"


@dataclass
class Gateway:
    """A gateway over ports in memory, and a client of it that has a key with every scope."""

    settings: GatewaySettings = field(default_factory=lambda: GatewaySettings(max_upload_bytes=100_000))
    clock: ManualClock = field(default_factory=ManualClock)
    viewer: ViewerSettings = field(default_factory=ViewerSettings)
    limits: LimitSettings = field(default_factory=LimitSettings)
    uploads: UploadSettings = field(default_factory=UploadSettings)
    prober: Prober = field(default_factory=LocalProber)
    diagnostics: DiagnosticsSettings = field(
        default_factory=lambda: DiagnosticsSettings(status_seconds=0, debug=True, mock_event_seconds=0)
    )
    sampled: bool = False
    """Whether this process looks at its host and announces itself, as in production."""
    auth: AuthSettings = field(default_factory=lambda: AuthSettings(secret=SECRET, initial_key=KEY))
    files: FileSettings = field(default_factory=FileSettings)
    url: UrlSettings = field(default_factory=UrlSettings)
    resumable: ResumableSettings = field(
        default_factory=lambda: ResumableSettings.model_construct(part_bytes=1000, direct_part_bytes=1000)
    )

    def __post_init__(self) -> None:
        self.jobs = HeardJobStore(self.clock)
        self.tally = self.jobs.tally = Tally(self.jobs, self.clock)
        self.tasks = MemoryTaskStore(self.clock)
        self.fleet = MemoryFleetStore(self.clock, 10.0)
        self.keys = MemoryKeyStore(self.clock)
        self.secrets = MemorySecretStore()
        self.objects = AddressedStore(self.clock, least_part_bytes=1000)
        self.unfinished = MemoryUploadStore(self.clock)
        self.published = MemoryPublisher()
        self.hub = LiveEvents(
            self.clock,
            queue_size=self.settings.stream_queue,
            max_streams=self.settings.max_streams,
            heartbeat_seconds=self.settings.heartbeat_seconds,
        )
        self.recorder = Recorder(self.diagnostics.request_log_entries, lambda: self.hub.open)
        self.announcer = Announcer(
            self.fleet,
            FleetSettings(host="gateway-host"),
            Service.GATEWAY,
            self.clock,
            folder=Path(__file__).parent,
            parts=lambda: {"gateway": self.recorder.facts()},
        )
        self.database = MemoryDatabase({"jobs": self.jobs.held, "tasks": self.tasks.held})
        self.failing: dict[str, BaseException] = {}
        self.client: TestClient[Any, Any]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Gateway]:
        relay = JobRelay(self.jobs, self.published, "events")
        ports = Ports(
            jobs=self.jobs,
            tasks=self.tasks,
            fleet=self.fleet,
            keys=self.keys,
            secrets=self.secrets,
            objects=self.objects,
            uploads=self.objects,
            unfinished=self.unfinished,
            relay=relay,
            hub=self.hub,
            tally=self.tally,
            prober=self.prober,
            database=self.database,
            recorder=self.recorder,
            announcer=self.announcer,
            clock=self.clock,
            probes={"storage": lambda: self._probe("storage"), "broker": lambda: self._probe("broker")},
        )
        await self.fleet.offer([offer("scene_detection"), offer("face_analysis")])
        await self.fleet.offer([offer("broken", available=False, reason="its model is missing")])
        await self.announce("worker", Service.WORKER, pipelines=("scene_detection",))
        settings = Settings(
            gateway=self.settings,
            viewer=self.viewer,
            auth=self.auth,
            limits=self.limits,
            files=self.files,
            uploads=self.uploads,
            diagnostics=self.diagnostics,
            resumable=self.resumable,
            url=self.url,
        )
        self.access = await Access.opened(settings, self.keys, self.secrets, self.clock)
        self.app = application(settings, ports, self.access)
        sent = {"Authorization": f"Bearer {KEY}"}
        async with (
            relay.running(),
            self.hub.running(self.jobs),
            self.access.ring.running(),
            self.announcer.running() if self.sampled else nullcontext(),
            TestClient(TestServer(self.app), headers=sent) as self.client,
        ):
            yield self

    def operations(self) -> list[Operation]:
        """Everything that the application answers, but its pages."""
        served = [getattr(route.handler, "args", ()) for route in self.app.router.routes()]
        found = [
            argument for arguments in served for argument in arguments if isinstance(argument, Operation)
        ]
        return list({operation.id: operation for operation in found}.values())

    @asynccontextmanager
    async def stranger(self) -> AsyncIterator[aiohttp.ClientSession]:
        """A client that sends no key by itself."""
        async with aiohttp.ClientSession(self.client.make_url("/")) as session:
            yield session

    async def announce(self, name: str, service: Service, **more: Any) -> None:
        fields = {"host": "host", "pid": 1, "version": "1", "started_at": self.clock.now(), **more}
        await self.fleet.announce(FleetMember(id=name, service=service, **fields))

    async def get(self, path: str, **options: Any) -> tuple[int, Any]:
        async with self.client.get(path, allow_redirects=False, **options) as answer:
            return answer.status, await answer.json()

    async def post(self, data: Any, path: str = "/api/v1/jobs/", **options: Any) -> tuple[int, Any]:
        async with self.client.post(path, data=data, **options) as answer:
            return answer.status, await answer.json()

    async def _probe(self, name: str) -> None:
        if name in self.failing:
            raise self.failing[name]


def form(
    video: bytes | None = MP4,
    *,
    filename: str = "clip.mp4",
    fields: dict[str, str] | None = None,
    video_first: bool = False,
) -> aiohttp.FormData:
    """A submission, as a client that does not encode names sends it."""
    data = aiohttp.FormData(quote_fields=False, default_to_multipart=True)
    if video is not None and video_first:
        data.add_field("video", video, filename=filename, content_type="video/mp4")
    for name, text in (fields or {}).items():
        data.add_field(name, text)
    if video is not None and not video_first:
        data.add_field("video", video, filename=filename, content_type="video/mp4")
    return data


def job(clock: ManualClock, name: str, events: int = 1, **changes: Any) -> JobDocument:
    """A job with a log of so many events, a second apart, the last one now."""
    now = clock.now()
    log = tuple(
        JobEvent(
            id=f"{name}-{seq}",
            seq=seq,
            type="job.submitted" if seq == 1 else "task.started",
            status=JobStatus.PENDING,
            time=now - timedelta(seconds=events - seq),
        )
        for seq in range(1, events + 1)
    )
    fields: dict[str, Any] = {
        "tenant": "default",
        "media": MediaRef(key=f"media/{name}/source", filename="clip.mp4", size_bytes=9, sha256="0" * 64),
        "selected_pipelines": ("scene_detection",),
        "created_at": now,
        "updated_at": now,
        "events": log,
        "seq": events,
        **changes,
    }
    return JobDocument(id=name, **fields)


def message(
    name: str, seq: int, kind: str = "task.started", tenant: str = "default", status: str = "pending"
) -> JobEventMessage:
    """An event as it comes from Kafka."""
    return JobEventMessage(
        id=f"{name}-{seq}", job_id=name, tenant=tenant, seq=seq, type=kind, status=status, data={}
    )


async def soon(condition: Any) -> None:
    """Waits until something is so, for a few seconds at most."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.005)
