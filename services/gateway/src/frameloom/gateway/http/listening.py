"""The open port, and its orderly end."""

from __future__ import annotations

import logging
from collections.abc import Callable

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from frameloom.common.errors import ConfigurationError
from frameloom.gateway.http.draining import IN_FLIGHT
from frameloom.gateway.http.unreadable import Runner

log = structlog.get_logger(__name__)
_BACKLOG = 1024
"""Connections that wait to be taken: all streams of a gateway that has ended may come at once."""
_LAST_WORDS_SECONDS = 2.0
"""For what is already answered to leave the sockets."""


class _OurFaultsOnly(logging.Filter):
    """A client that does not speak HTTP is answered 400; it must not fill the log with tracebacks."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


async def listening(app: web.Application, host: str, port: int) -> web.AppRunner:
    """Opens the port; the runner is to be cleaned up.

    Raises:
        ConfigurationError: The address can not be had.
    """
    faults = logging.getLogger("aiohttp.server")
    faults.addFilter(_OurFaultsOnly())
    runner = Runner(
        app,
        access_log=None,
        logger=faults,
        auto_decompress=False,  # compressed bodies are refused, so that none unpacks into gigabytes
        shutdown_timeout=_LAST_WORDS_SECONDS,
    )
    await runner.setup()
    site = web.TCPSite(runner, host, port, backlog=_BACKLOG)
    try:
        await site.start()
    except OSError as error:
        await runner.cleanup()
        raise ConfigurationError(
            f"Can not listen on {host}:{port}: {error.strerror or error}",
            hint="Is another gateway running? Choose another FRAMELOOM_GATEWAY_PORT.",
        ) from error
    log.info("listening", url=f"http://{host}:{runner.addresses[0][1]}")
    return runner


async def drain(
    runner: web.AppRunner, app: web.Application, end_streams: Callable[[], None], grace_seconds: float
) -> None:
    """Takes nothing new, ends the streams, and lets uploads and downloads finish."""
    for site in list(runner.sites):
        await site.stop()
    end_streams()
    if not await app[IN_FLIGHT].drained(grace_seconds):
        log.warning("broken off what did not finish in time")
    await runner.cleanup()
