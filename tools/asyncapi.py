"""docs/asyncapi.json: every topic, who sends and who receives, and the shape of each event.

    python tools/asyncapi.py           # prints the document
    python tools/asyncapi.py --write   # writes docs/asyncapi.json

FastStream makes the endpoints and the schemas, without a running broker. It gives each endpoint a channel of
its own; a reader looks for a topic, so the channels of one topic are merged here, and each message gets the
headers that it really has. The services wire their consumers only once they are connected, so the endpoints
are listed here; ``tests/unit/test_docs_events.py`` compares them with the wiring.
"""

from __future__ import annotations

import functools
import json
import operator
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faststream.kafka import KafkaBroker
from faststream.specification import AsyncAPI

from frameloom.common import __version__
from frameloom.common.events import (
    EVENT_TYPES,
    AnnotationChunk,
    AnnotationsFinished,
    DeadLetter,
    Encoded,
    Event,
    JobEventMessage,
    TaskCancelRequested,
    TaskChanged,
    TaskDispatched,
    TaskGivenUp,
    TaskProgressed,
)
from frameloom.common.topics import Topics
from frameloom.gateway.schemas.sockets import Ping, SocketQuery, Subscribe, Unsubscribe

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "asyncapi.json"
PREFIX = "frameloom"
TOPICS = Topics(PREFIX)
PIPELINE = "{pipeline}"
_SERVER = "kafka.example.org:9092"
_DESCRIPTION = (
    "The topics of Frameloom under their default prefix. `frameloom.events` is the public feed; the others "
    "are between the services. Events are JSON; CloudEvents attributes are in the headers. See events.md. "
    "`live` is the gateway's WebSocket."
)

SOCKET = "/api/v1/events/ws"
_LIVE_MESSAGE: dict[str, Any] = {
    "title": "LiveMessage",
    "description": "One thing that is told: an event, telemetry, or an answer.",
    "type": "object",
    "properties": {
        "event": {"type": "string", "description": "job.update, job.log, connected, subscribed, error, …"},
        "id": {"type": ["string", "null"], "description": "Where to go on after it; telemetry has none"},
        "data": {"type": "object"},
    },
    "required": ["event", "id", "data"],
}

Kind = type[Event]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A service at a topic.

    Attributes:
        service: Which one.
        name: Of a consumer; of a sender, what it sends.
        topic: Where.
        events: What is received and handled, or sent.
        group: Consumer group without the prefix; None: reads everything from now on, or sends.
    """

    service: str
    name: str
    topic: str
    events: tuple[Kind, ...]
    group: str | None = None

    @property
    def title(self) -> str:
        """Unique among the endpoints."""
        return f"{self.service}.{self.name}"


RECEIVERS = (
    Endpoint("gateway", "live-events", TOPICS.events, (JobEventMessage,)),
    Endpoint("gateway", "live-progress", TOPICS.progress, (TaskProgressed,)),
    Endpoint("scheduler", "job-events", TOPICS.events, (JobEventMessage,), "scheduler"),
    Endpoint("scheduler", "task-events", TOPICS.task_events, (TaskChanged,), "scheduler.tasks"),
    Endpoint("worker", "control", TOPICS.control, (TaskCancelRequested,)),
    Endpoint("worker", "intake", TOPICS.tasks(PIPELINE), (TaskDispatched,), "workers"),
    Endpoint("results", "annotations", TOPICS.annotations, (AnnotationChunk, AnnotationsFinished), "results"),
)
SENDERS = (
    Endpoint("gateway", "relay", TOPICS.events, (JobEventMessage,)),
    Endpoint("scheduler", "relay", TOPICS.events, (JobEventMessage,)),
    Endpoint("scheduler", "dispatch", TOPICS.tasks(PIPELINE), (TaskDispatched,)),
    Endpoint("scheduler", "cancel-hint", TOPICS.control, (TaskCancelRequested,)),
    Endpoint("scheduler", "given-up", TOPICS.dead_letters, (TaskGivenUp,)),
    Endpoint("worker", "wake-up", TOPICS.task_events, (TaskChanged,)),
    Endpoint("worker", "stream", TOPICS.annotations, (AnnotationChunk, AnnotationsFinished)),
    Endpoint("worker", "progress", TOPICS.progress, (TaskProgressed,)),
    Endpoint("results", "wake-up", TOPICS.task_events, (TaskChanged,)),
    *(
        Endpoint(service, "dead-letter", TOPICS.dead_letters, (DeadLetter,))
        for service in ("gateway", "scheduler", "worker", "results")
    ),
)
_TOLD = {
    TOPICS.events: "The public feed: every entry of every job's event log, keyed by job.",
    TOPICS.task_events: "Wake-ups for the scheduler, keyed by job.",
    TOPICS.annotations: "Annotation chunks and the ends of epochs, keyed by task.",
    TOPICS.progress: "Telemetry of running tasks, keyed by job.",
    TOPICS.control: "Hints to the workers, each of which reads all of them.",
    TOPICS.dead_letters: "Messages that could not be handled, and tasks that were given up.",
    TOPICS.tasks(PIPELINE): "Tasks of one pipeline, to be claimed by a worker.",
}


def document() -> dict[str, Any]:
    """The AsyncAPI 3 document."""
    broker = KafkaBroker(_SERVER)
    for endpoint in RECEIVERS:
        broker.subscriber(endpoint.topic, group_id=endpoint.group, title=endpoint.title)(_handler(endpoint))
    for endpoint in SENDERS:
        broker.publisher(endpoint.topic, schema=_union(endpoint), title=endpoint.title)
    made = AsyncAPI(broker, title="Frameloom events", version=__version__, description=_DESCRIPTION)
    return _with_socket(_merged(json.loads(made.to_specification().to_json())))


def _with_socket(document: dict[str, Any]) -> dict[str, Any]:
    """The document with the gateway's WebSocket, the only channel that is not a topic."""
    said = {kind.__name__: kind for kind in (Subscribe, Unsubscribe, Ping)}
    shapes = {name: kind.model_json_schema() for name, kind in said.items()} | {"LiveMessage": _LIVE_MESSAGE}
    query = SocketQuery.model_json_schema()["properties"]
    document["servers"]["gateway"] = {"host": "gateway.example.org", "protocol": "wss"}
    document["channels"]["live"] = {
        "address": SOCKET,
        "description": "The live feed of the gateway over a WebSocket; see api/events.md.",
        "servers": [{"$ref": "#/servers/gateway"}],
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in shapes},
        "bindings": {
            "ws": {
                "method": "GET",
                "query": {"type": "object", "properties": query},
                "bindingVersion": "0.1.0",
            }
        },
    }
    for title, action, names in (("live", "send", ["LiveMessage"]), ("live-requests", "receive", list(said))):
        document["operations"][f"gateway.{title}"] = {
            "action": action,
            "channel": {"$ref": "#/channels/live"},
            "messages": [{"$ref": f"#/channels/live/messages/{name}"} for name in names],
        }
    for name, shape in shapes.items():
        document["components"]["schemas"][name] = shape
        document["components"]["messages"][name] = {
            "name": name,
            "title": name,
            "summary": shape["description"].splitlines()[0],
            "contentType": "application/json",
            "payload": {"$ref": f"#/components/schemas/{name}"},
        }
    return document


def text() -> str:
    """The document as it stands in the file."""
    return json.dumps(document(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _merged(spec: dict[str, Any]) -> dict[str, Any]:
    """One channel for each topic, and names that the standard allows."""
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    for endpoint in (*RECEIVERS, *SENDERS):
        name = _channel_name(endpoint.topic)
        channel = channels.setdefault(name, _channel(endpoint.topic, spec["channels"][endpoint.title]))
        kinds = _kinds(spec, endpoint.title)
        channel["messages"] |= {kind: {"$ref": f"#/components/messages/{kind}"} for kind in kinds}
        operations[endpoint.title] = {
            "action": spec["operations"][endpoint.title]["action"],
            "channel": {"$ref": f"#/channels/{name}"},
            "messages": [{"$ref": f"#/channels/{name}/messages/{kind}"} for kind in kinds],
            **_group(endpoint),
        }
    schemas = {name: shape for name, shape in spec["components"]["schemas"].items() if ":" not in name}
    messages = {kind.__name__: _message(kind) for kind in EVENT_TYPES.values()}
    return {
        **{key: spec[key] for key in ("asyncapi", "info", "defaultContentType")},
        "servers": {"kafka": {key: spec["servers"]["development"][key] for key in ("host", "protocol")}},
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": {**schemas, "Headers": _headers()}},
    }


def _channel(topic: str, made: dict[str, Any]) -> dict[str, Any]:
    parameters = {"parameters": {"pipeline": {"description": "Name of the pipeline."}}}
    return {
        "address": topic,
        "description": _TOLD[topic],
        "bindings": made["bindings"],
        "servers": [{"$ref": "#/servers/kafka"}],
        "messages": {},
        **(parameters if PIPELINE in topic else {}),
    }


def _kinds(spec: dict[str, Any], title: str) -> list[str]:
    """The names of an endpoint's events, as FastStream has resolved them."""
    (message,) = spec["channels"][title]["messages"].values()
    payload = _name(spec["components"]["messages"][_name(message)]["payload"])
    union = spec["components"]["schemas"][payload].get("anyOf")
    return [_name(part) for part in union] if union else [payload]


def _message(kind: Kind) -> dict[str, Any]:
    return {
        "name": kind.TYPE,
        "title": kind.__name__,
        "summary": (kind.__doc__ or "").splitlines()[0],
        "contentType": "application/json",
        "headers": {"$ref": "#/components/schemas/Headers"},
        "payload": {"$ref": f"#/components/schemas/{kind.__name__}"},
    }


def _headers() -> dict[str, Any]:
    """The headers of an encoded event; only a job event has a sequence."""
    sample = JobEventMessage(job_id="j", tenant="t", seq=1, type="job.submitted", status="pending")
    names = sorted(Encoded.of(sample, "gateway").headers)
    return {
        "title": "Headers",
        "description": "CloudEvents 1.0 attributes, with the prefix of its Kafka binding.",
        "type": "object",
        "properties": {name: {"type": "string"} for name in names},
        "required": [name for name in names if name != "ce_sequence"],
    }


def _group(endpoint: Endpoint) -> dict[str, Any]:
    if endpoint.group is None:
        return {}
    group = {"type": "string", "enum": [f"{PREFIX}.{endpoint.group}"]}
    return {"bindings": {"kafka": {"groupId": group, "bindingVersion": "0.4.0"}}}


def _handler(endpoint: Endpoint) -> Callable[..., Awaitable[None]]:
    """A handler by whose annotation FastStream knows the payload."""

    async def handle(event: Any) -> None:
        """Never called."""

    handle.__annotations__ = {"event": _union(endpoint), "return": None}
    return handle


def _union(endpoint: Endpoint) -> Any:
    return functools.reduce(operator.or_, endpoint.events)


def _channel_name(topic: str) -> str:
    return topic.removeprefix(f"{PREFIX}.").removesuffix(f".{PIPELINE}")


def _name(reference: dict[str, str]) -> str:
    return reference["$ref"].rpartition("/")[2]


def main(arguments: list[str]) -> int:
    """Runs the command."""
    if arguments != ["--write"]:
        print(text(), end="")
        return 0
    PAGE.write_text(text(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
