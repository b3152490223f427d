"""The metrics for Prometheus: counters of this process, gauges of the whole fleet.

``CATALOGUE`` lists each with its labels; nothing is exposed that does not stand there. No label holds what a
client has chosen, a tenant or a host.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from frameloom.common.documents import Service
from frameloom.gateway.services.overview import Overview, mean_task_seconds
from frameloom.gateway.services.recorder import Answered, Recorder

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_OTHER = "other"
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    Attributes:
        name: With its unit.
        kind: counter, histogram or gauge.
        labels: Names of its labels.
        help: What it counts.
        fleet: It is of the whole fleet, and the same at every gateway.
    """

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str
    fleet: bool


def _metric(name: str, kind: str, labels: str, text: str) -> Metric:
    return Metric(f"frameloom_{name}", kind, tuple(labels.split()), text, fleet=False)


def _of_fleet(name: str, labels: str, text: str) -> Metric:
    return Metric(f"frameloom_{name}", "gauge", tuple(labels.split()), text, fleet=True)


REQUESTS = _metric(
    "requests_total",
    "counter",
    "operation status",
    f"Requests that this gateway has answered; `{_OTHER}` is what is no operation of the API, 499 a client "
    "that left before its answer",
)
REQUEST_SECONDS = _metric(
    "request_seconds", "histogram", "operation", "From a request's headers until its answer began"
)
BODY_BYTES = _metric("request_body_bytes_total", "counter", "operation", "Received in bodies: uploads")
IN_PROGRESS = _metric("requests_in_progress", "gauge", "", "Requests of this gateway, event streams included")
STREAMS = _metric("streams_open", "gauge", "", "Event streams of this gateway")
SERVER_UP = _metric("server_up", "gauge", "server", "1: the database, storage or broker answers this gateway")
PROCESSES = _of_fleet("processes", "service state", "Live processes of the fleet")
SLOTS = _of_fleet("slots", "state", "Slots of all workers: starting, idle, busy")
QUEUE = _of_fleet("queue_tasks", "pipeline", "Tasks that wait for a worker")
TASKS = _of_fleet("tasks", "pipeline state", "Tasks that are not over: waiting, queued, running, finalizing")
JOBS = _of_fleet("jobs", "status", "Jobs of all tenants")
UNRELAYED = _of_fleet("jobs_unrelayed", "", "Jobs with events that are not in Kafka yet: near 0")
UNFOLDED = _of_fleet("tasks_unfolded", "", "Tasks whose job has not seen their change yet: near 0")
TASK_SECONDS = _of_fleet(
    "task_seconds_mean", "pipeline", "Mean time of a completed task, over the live workers"
)
WORKER_TASKS = _of_fleet(
    "worker_tasks", "pipeline outcome", "Tasks of the live workers since they started, by their end"
)
WARM = _of_fleet("warm_models", "model", "Slots that keep a model loaded")
GPU_USED = _of_fleet("gpu_memory_used_bytes", "worker gpu", "Memory of a GPU in use, by all processes")
GPU_TOTAL = _of_fleet("gpu_memory_total_bytes", "worker gpu", "Memory of a GPU")
GPU_BUSY = _of_fleet("gpu_utilization_percent", "worker gpu", "How busy a GPU was of late")
SWEEP_AGE = _of_fleet("scheduler_sweep_age_seconds", "", "Since any scheduler last came through its sweep")

CATALOGUE: tuple[Metric, ...] = (
    REQUESTS,
    REQUEST_SECONDS,
    BODY_BYTES,
    IN_PROGRESS,
    STREAMS,
    SERVER_UP,
    PROCESSES,
    SLOTS,
    QUEUE,
    TASKS,
    JOBS,
    UNRELAYED,
    UNFOLDED,
    TASK_SECONDS,
    WORKER_TASKS,
    WARM,
    GPU_USED,
    GPU_TOTAL,
    GPU_BUSY,
    SWEEP_AGE,
)

_OUTCOMES = ("completed", "failed", "cancelled", "released", "lost")
Sample = tuple[tuple[str, ...], float]


class Metrics:
    """Counts requests, and writes down everything when Prometheus asks."""

    def __init__(self, recorder: Recorder) -> None:
        # A second series for each counter, which says when it began: nobody needs it.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._fleet = _FleetCollector(recorder)
        self._registry.register(self._fleet)
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        self._requests = Counter(REQUESTS.name, REQUESTS.help, REQUESTS.labels, registry=self._registry)
        self._body_bytes = Counter(
            BODY_BYTES.name, BODY_BYTES.help, BODY_BYTES.labels, registry=self._registry
        )
        self._seconds = Histogram(
            REQUEST_SECONDS.name,
            REQUEST_SECONDS.help,
            REQUEST_SECONDS.labels,
            buckets=_BUCKETS,
            registry=self._registry,
        )
        recorder.observe(self._count)

    def exposition(self, overview: Overview) -> bytes:
        """All metrics as of now."""
        self._fleet.overview = overview
        try:
            return generate_latest(self._registry)
        finally:
            self._fleet.overview = None

    def _count(self, answered: Answered) -> None:
        operation = answered.operation or _OTHER
        self._requests.labels(operation, str(answered.status)).inc()
        self._seconds.labels(operation).observe(answered.seconds)
        if answered.body_bytes:
            self._body_bytes.labels(operation).inc(answered.body_bytes)


class _FleetCollector(Collector):
    """Makes the gauges of an overview."""

    def __init__(self, recorder: Recorder) -> None:
        self.overview: Overview | None = None
        self._recorder = recorder

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The gauges. Before the first overview there are none, also when the registry asks for names."""
        if self.overview is None:
            return
        facts = self._recorder.facts()
        yield _gauge(IN_PROGRESS, [((), facts.requests_in_progress)])
        yield _gauge(STREAMS, [((), facts.streams_open)])
        for metric, samples in _GAUGES:
            yield _gauge(metric, samples(self.overview))


def _gauge(metric: Metric, samples: Iterable[Sample]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
    for labels, value in samples:
        family.add_metric(labels, value)
    return family


def _servers(overview: Overview) -> Iterator[Sample]:
    for name, state in overview.servers.items():
        yield (name,), float(state.ok)


def _processes(overview: Overview) -> Iterator[Sample]:
    for service in Service:
        own = overview.of(service)
        for state in ("healthy", "draining"):
            yield (service.value, state), sum(member.liveness.value == state for member in own)


def _slots(overview: Overview) -> Iterator[Sample]:
    for state in ("starting", "idle", "busy"):
        yield (state,), sum(slot.state.value == state for _, slot in overview.slots)


def _queue(overview: Overview) -> Iterator[Sample]:
    """Also of pipelines for which nothing waits: a series that comes and goes can not be alerted on."""
    live = overview.backlog.tasks if overview.backlog else None
    if live is None:
        return
    names = {offer.id for offer in overview.offers} | {name for name, _ in live}
    for name in sorted(names):
        yield (name,), sum(n for (one, state), n in live.items() if one == name and state == "queued")


def _tasks(overview: Overview) -> Iterator[Sample]:
    for (pipeline, state), count in (overview.backlog.tasks if overview.backlog else {}).items():
        yield (pipeline, state.value), count


def _jobs(overview: Overview) -> Iterator[Sample]:
    for status, count in (overview.jobs or {}).items():
        yield (status.value,), count


def _unrelayed(overview: Overview) -> Iterator[Sample]:
    if overview.unrelayed is not None:
        yield (), overview.unrelayed


def _unfolded(overview: Overview) -> Iterator[Sample]:
    if overview.backlog is not None:
        yield (), overview.backlog.unfolded


def _task_seconds(overview: Overview) -> Iterator[Sample]:
    for name, tally in overview.work.items():
        if (mean := mean_task_seconds({name: tally})) is not None:
            yield (name,), mean


def _worker_tasks(overview: Overview) -> Iterator[Sample]:
    for name, tally in overview.work.items():
        for outcome in _OUTCOMES:
            yield (name, outcome), getattr(tally, outcome)


def _warm(overview: Overview) -> Iterator[Sample]:
    held = [model.name for _, slot in overview.slots for model in slot.models]
    for name in sorted(set(held)):
        yield (name,), held.count(name)


def _gpu_used(overview: Overview) -> Iterator[Sample]:
    for gpu in overview.gpus:
        yield (gpu.member.id, str(gpu.facts.index)), gpu.facts.memory_used_bytes


def _gpu_total(overview: Overview) -> Iterator[Sample]:
    for gpu in overview.gpus:
        yield (gpu.member.id, str(gpu.facts.index)), gpu.facts.memory_total_bytes


def _gpu_busy(overview: Overview) -> Iterator[Sample]:
    for gpu in overview.gpus:
        if gpu.facts.utilization_percent is not None:
            yield (gpu.member.id, str(gpu.facts.index)), gpu.facts.utilization_percent


def _sweep_age(overview: Overview) -> Iterator[Sample]:
    swept = [facts.last_sweep_at for facts in overview.schedulers if facts.last_sweep_at is not None]
    if swept:
        yield (), max(0.0, (overview.at - max(swept)).total_seconds())


_GAUGES: tuple[tuple[Metric, Callable[[Overview], Iterator[Sample]]], ...] = (
    (SERVER_UP, _servers),
    (PROCESSES, _processes),
    (SLOTS, _slots),
    (QUEUE, _queue),
    (TASKS, _tasks),
    (JOBS, _jobs),
    (UNRELAYED, _unrelayed),
    (UNFOLDED, _unfolded),
    (TASK_SECONDS, _task_seconds),
    (WORKER_TASKS, _worker_tasks),
    (WARM, _warm),
    (GPU_USED, _gpu_used),
    (GPU_TOTAL, _gpu_total),
    (GPU_BUSY, _gpu_busy),
    (SWEEP_AGE, _sweep_age),
)
