"""The tables of environment variables in docs/operations.md, from the settings classes themselves.

    python tools/settings_table.py           # prints the tables
    python tools/settings_table.py --write   # puts them into the page

A meaning comes from the docstring below the field; where a field has none, from ``MEANINGS`` here. A field
with neither, and a meaning without its field, are errors.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from frameloom.common.settings import (
    FleetSettings,
    KafkaSettings,
    LeaseSettings,
    LogSettings,
    MongoSettings,
    S3Settings,
)
from frameloom.gateway.settings import (
    AuthSettings,
    DiagnosticsSettings,
    FileSettings,
    GatewaySettings,
    LimitSettings,
    ResumableSettings,
    UploadSettings,
    UrlSettings,
    ViewerSettings,
)
from frameloom.results.settings import ResultsSettings
from frameloom.scheduler.settings import SchedulerSettings
from frameloom.worker.frames.settings import FrameSettings
from frameloom.worker.settings import ModelSettings, RuntimeSettings, WorkerSettings

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "operations.md"
BEGIN = "<!-- environment variables: written by tools/settings_table.py -->"
END = "<!-- end of environment variables -->"
CLASSES: tuple[type[BaseSettings], ...] = (
    KafkaSettings,
    MongoSettings,
    S3Settings,
    LogSettings,
    LeaseSettings,
    FleetSettings,
    GatewaySettings,
    ViewerSettings,
    AuthSettings,
    LimitSettings,
    FileSettings,
    UploadSettings,
    DiagnosticsSettings,
    ResumableSettings,
    UrlSettings,
    SchedulerSettings,
    WorkerSettings,
    FrameSettings,
    ModelSettings,
    RuntimeSettings,
    ResultsSettings,
)
SOURCES = {
    "gateway": "services/gateway/src",
    "scheduler": "services/scheduler/src",
    "worker": "services/pipeline-worker/src",
    "results": "services/results/src",
}
_RUNNER = "libs/common/src/frameloom/common/service.py"

MEANINGS = {
    "FRAMELOOM_KAFKA_BOOTSTRAP_SERVERS": "`host:port`, several separated by commas",
    "FRAMELOOM_KAFKA_TOPIC_PREFIX": (
        "First part of every topic and consumer group: two installations with different prefixes "
        "can share a broker"
    ),
    "FRAMELOOM_KAFKA_CREATE_TOPICS": "Create missing topics at start. Off: the operator creates them",
    "FRAMELOOM_KAFKA_PARTITIONS": "Partitions of a topic that is created; existing topics stay as they are",
    "FRAMELOOM_KAFKA_REPLICATION_FACTOR": "Copies of a topic that is created. Use 3 on a cluster",
    "FRAMELOOM_KAFKA_SESSION_TIMEOUT_SECONDS": (
        "A consumer that is silent for this long loses its partitions; it sends a heartbeat every third of it"
    ),
    "FRAMELOOM_KAFKA_MAX_POLL_INTERVAL_SECONDS": (
        "A consumer that does not poll for this long loses its partitions. Tasks may take longer: "
        "a worker goes on polling while they run"
    ),
    "FRAMELOOM_KAFKA_CONNECT_TIMEOUT_SECONDS": "How long a starting service waits for the broker",
    "FRAMELOOM_MONGO_URI": "`mongodb://…`, with user and password where the server wants them",
    "FRAMELOOM_MONGO_DATABASE": "Name of the database",
    "FRAMELOOM_MONGO_TIMEOUT_SECONDS": "Longest time for one operation, and for finding a server",
    "FRAMELOOM_MONGO_CONNECT_TIMEOUT_SECONDS": "How long a starting service waits for the database",
    "FRAMELOOM_S3_ENDPOINT": "`host:port`, without a scheme",
    "FRAMELOOM_S3_ACCESS_KEY": "Name of the account",
    "FRAMELOOM_S3_SECRET_KEY": "Its key",
    "FRAMELOOM_S3_BUCKET": "The one bucket; created if it does not exist",
    "FRAMELOOM_S3_REGION": "Region, part of every signature",
    "FRAMELOOM_S3_SECURE": "TLS. Off only on a network that nobody else is on",
    "FRAMELOOM_S3_THREADS": "How many calls run at once in one process",
    "FRAMELOOM_S3_CONNECT_TIMEOUT_SECONDS": "How long a starting service waits for the store",
    "FRAMELOOM_LOG_FORMAT": "`auto`: console in a terminal, JSON otherwise. Or `console`, or `json`",
    "FRAMELOOM_LOG_LEVEL": "`DEBUG`, `INFO`, `WARNING` or `ERROR`",
    "FRAMELOOM_LEASE_SECONDS": (
        "How long a claim holds without a renewal; a worker renews every third of it. After a worker has "
        "died, its tasks wait this long. The same for all services"
    ),
    "FRAMELOOM_FLEET_HOST": "The name under which a process announces itself",
    "FRAMELOOM_FLEET_ANNOUNCE_EVERY_SECONDS": "How often a process says that it lives",
    "FRAMELOOM_FLEET_LIVE_WITHIN_SECONDS": "A process that is silent for longer counts as gone",
    "FRAMELOOM_GATEWAY_HOST": (
        "Address to listen on. Keys travel in the clear: beyond this host, put TLS in front"
    ),
    "FRAMELOOM_GATEWAY_MAX_UPLOAD_BYTES": "Largest media file; a larger one is refused with 413",
    "FRAMELOOM_GATEWAY_MAX_CONFIG_BYTES": "Largest form field, such as a job's configuration",
    "FRAMELOOM_GATEWAY_UPLOAD_WAIT_SECONDS": (
        "How long an upload waits for its turn before it is refused with 503"
    ),
    "FRAMELOOM_GATEWAY_HEARTBEAT_SECONDS": "How often a silent event stream sends a heartbeat",
    "FRAMELOOM_GATEWAY_STREAM_WRITE_TIMEOUT_SECONDS": (
        "How long a client of an event stream may leave its socket full before it is left"
    ),
    "FRAMELOOM_GATEWAY_PROBE_TIMEOUT_SECONDS": "How long the health check waits for each dependency",
    "FRAMELOOM_GATEWAY_SHUTDOWN_GRACE_SECONDS": "How long requests under way may go on after SIGTERM",
    "FRAMELOOM_WORKER_CACHE_DIR": "Where fetched media files lie",
}
DEFAULTS = {
    "FRAMELOOM_FLEET_HOST": "the machine's host name",
    "FRAMELOOM_GATEWAY_CORS_ORIGINS": "`localhost` and `127.0.0.1` on the usual development ports",
    "FRAMELOOM_WORKER_CACHE_DIR": "`~/.cache/frameloom/media`",
}
"""Defaults that are computed on the machine."""


def field_docs(settings: type[BaseSettings]) -> dict[str, str]:
    """The docstring below each field that has one, as one line with Markdown code marks."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(settings))).body
    assert isinstance(body, ast.ClassDef)
    found = {}
    for field, after in zip(body.body, body.body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
        ):
            found[field.target.id] = " ".join(str(after.value.value).split()).replace("``", "`").rstrip(".")
    return found


def variables(settings: type[BaseSettings]) -> dict[str, tuple[str, str]]:
    """Default and meaning of each variable of a class, as they stand in the table.

    Raises:
        KeyError: A field has neither a docstring nor a meaning here.
    """
    docs = field_docs(settings)
    prefix = settings.model_config["env_prefix"]
    found = {}
    for name, field in settings.model_fields.items():
        variable = f"{prefix}{name}".upper()
        meaning = docs[name] if name in docs else MEANINGS[variable]
        found[variable] = (DEFAULTS.get(variable) or _default(field), meaning)
    return found


def readers() -> dict[str, list[str]]:
    """Which services load each class, by its name, from the services' own sources."""
    everybody = _loaded((ROOT / _RUNNER).read_text(encoding="utf-8"))
    loaded = {
        service: everybody.union(
            *(_loaded(path.read_text(encoding="utf-8")) for path in (ROOT / folder).rglob("*.py"))
        )
        for service, folder in SOURCES.items()
    }
    return {kind.__name__: [name for name in loaded if kind.__name__ in loaded[name]] for kind in CLASSES}


def tables() -> str:
    """All tables, in Markdown."""
    read_by = readers()
    parts = []
    for settings in CLASSES:
        title = settings.__name__.removesuffix("Settings")
        told = (inspect.getdoc(settings) or "").splitlines()[0]
        parts += [f"### {title}", "", f"{told} Read by: {', '.join(read_by[settings.__name__])}.", ""]
        parts += ["| variable | default | meaning |", "| --- | --- | --- |"]
        parts += [
            f"| `{variable}` | {default} | {meaning} |"
            for variable, (default, meaning) in variables(settings).items()
        ]
        parts.append("")
    return "\n".join(parts).rstrip()


def _loaded(source: str) -> set[str]:
    found: list[tuple[str, str]] = re.findall(r"\bload\((\w+Settings)\)|\b(\w+Settings)\(\)", source)
    return {name for pair in found for name in pair if name}


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    return _shown(field.get_default(call_default_factory=True))


def _shown(value: Any) -> str:
    if value is None or value in ((), ""):
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, float):
        return f"`{value:g}`"
    if isinstance(value, int) and value >= 1024**2:
        for size, unit in ((1024**3, "GiB"), (1024**2, "MiB")):
            if value % size == 0:
                return f"`{value}` ({value // size} {unit})"
    return f"`{value}`"


def main(arguments: list[str]) -> int:
    """Runs the command."""
    if arguments != ["--write"]:
        print(tables())
        return 0
    head, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not end:
        print(f"{PAGE} lacks the two marks around the tables", file=sys.stderr)
        return 1
    PAGE.write_text(f"{head}{BEGIN}\n\n{tables()}\n\n{END}{tail}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
