"""structlog for our own and third-party logs: one processor list, console in a terminal, JSON otherwise."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

from frameloom.common.settings import LogSettings

_QUIET = ("aiokafka", "faststream", "pymongo", "urllib3", "asyncio", "aiohttp.access", "minio")


def configure_logging(service: str, settings: LogSettings) -> None:
    """Sets up logging of the whole process, on standard error.

    Args:
        service: Bound to every line of the JSON format as ``service``.
        settings: Format and level.
    """
    console = settings.format == "console" or (settings.format == "auto" and sys.stderr.isatty())
    # A person reads one terminal of today; a machine wants the whole time, the module and the service.
    told: list[Any] = (
        [structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False)]
        if console
        else [
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ]
    )
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        *told,
        structlog.processors.StackInfoRenderer(),
    ]
    renderer: list[Any] = (
        [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(),
                pad_event_to=28,
                exception_formatter=structlog.dev.plain_traceback,
            )
        ]
        if console
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.level)
    for name in _QUIET:
        library = logging.getLogger(name)
        library.handlers[:] = []
        library.propagate = True
        library.setLevel(max(logging.WARNING, root.level))
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    if not console:
        structlog.contextvars.bind_contextvars(service=service)
