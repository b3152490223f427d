"""The parts of the upload gate, as the settings want them."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from frameloom.gateway.http.pacing import Pace
from frameloom.gateway.ingest.fetching import FetchLimits, UrlFetcher
from frameloom.gateway.ingest.rules import UrlRules
from frameloom.gateway.probe.prober import Prober, ProcessLimits, ProcessProber
from frameloom.gateway.probe.rules import ProbeLimits
from frameloom.gateway.services.gate import UploadLimits
from frameloom.gateway.settings import Settings


def limits(settings: Settings) -> UploadLimits:
    """How much is taken in, and how many at once."""
    return UploadLimits(
        max_bytes=settings.gateway.max_upload_bytes,
        concurrent=settings.gateway.max_concurrent_uploads,
        concurrent_per_key=settings.uploads.max_concurrent_per_key,
        wait_seconds=settings.gateway.upload_wait_seconds,
        held_bytes=settings.uploads.held_bytes,
    )


def pace(settings: Settings) -> Pace:
    """How slowly a client may send."""
    return Pace(
        idle_seconds=settings.gateway.body_idle_timeout_seconds,
        min_bytes_per_second=settings.uploads.min_bytes_per_second,
        grace_seconds=settings.uploads.grace_seconds,
        max_seconds=settings.uploads.max_seconds,
    )


def fetcher(settings: Settings) -> UrlFetcher | None:
    """Who fetches media from addresses; None: nobody does."""
    own = settings.url
    if not own.ingestion:
        return None
    rules = UrlRules(
        hosts=own.hosts, http_hosts=own.http_hosts, networks=own.networks, ports=frozenset(own.ports)
    )
    limits = FetchLimits(
        max_bytes=settings.gateway.max_upload_bytes,
        max_seconds=own.max_seconds,
        connect_seconds=own.connect_seconds,
        idle_seconds=own.idle_seconds,
        min_bytes_per_second=own.min_bytes_per_second,
        grace_seconds=10.0,
        redirects=own.redirects,
    )
    return UrlFetcher(rules, limits)


def prober(settings: Settings) -> AbstractAsyncContextManager[Prober]:
    """Who looks into uploads, while the block runs."""
    own = settings.uploads
    media = ProbeLimits(
        duration_seconds=own.max_duration_seconds,
        pixels=own.max_pixels,
        fps=own.max_fps,
        streams=own.max_streams,
        bit_depth=own.max_bit_depth,
        read_bytes=own.max_probe_bytes,
    )
    process = ProcessLimits(
        timeout_seconds=own.probe_timeout_seconds,
        cpu_seconds=own.probe_cpu_seconds,
        memory_bytes=own.probe_memory_bytes,
        at_once=own.max_concurrent_probes,
    )
    return ProcessProber.running(media, process)
