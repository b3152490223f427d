"""What ``frameloom up`` can be told."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from frameloom.local.servers import BrokerStorage
from frameloom.local.supervisor import RestartPolicy

DEFAULT_PORT = 18011


def _modules() -> Mapping[str, tuple[str, ...]]:
    names = ("gateway", "scheduler", "worker", "results")
    return {name: (sys.executable, "-m", f"frameloom.{name}") for name in names}


@dataclass(frozen=True, slots=True)
class UpOptions:
    """Options of the embedded stack.

    Attributes:
        data: Folder of everything the stack keeps.
        host: Address the gateway listens on.
        port: Its port; 0 takes a free one, the same one again on the next run where possible.
        workers: How many worker processes.
        only_servers: Only the three servers, no services.
        quiet: Logs go to ``DATA/logs/stack.log`` only, not to the terminal as well.
        log_format: ``console`` or ``json``, for the services.
        environment: Further variables for the services.
        broker_storage: Where the embedded broker keeps its messages.
        ready_seconds: How long the stack may take until every part answers.
        grace_seconds: How long a service may take to end.
        restart: When a process that ended is started again.
        commands: The command line of each service by name.
    """

    data: Path
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    workers: int = 1
    only_servers: bool = False
    quiet: bool = False
    log_format: str = "console"
    environment: Mapping[str, str] = field(default_factory=dict)
    broker_storage: BrokerStorage = "memory"
    ready_seconds: float = 90.0
    grace_seconds: float = 25.0
    restart: RestartPolicy = field(default_factory=RestartPolicy)
    commands: Mapping[str, tuple[str, ...]] = field(default_factory=_modules)
