"""The page for subscribers: its examples fit the models, its subscriber works, AsyncAPI is up to date."""

from __future__ import annotations

import ast
import asyncio
import importlib
import importlib.util
import inspect
import json
import os
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from frameloom.common.adapters.kafka import Kafka
from frameloom.common.adapters.memory import MemoryJobStore, MemoryPublisher
from frameloom.common.clock import ManualClock
from frameloom.common.documents import JobDocument, JobStatus, MediaRef
from frameloom.common.events import EVENT_TYPES, Encoded, JobEventMessage
from frameloom.common.machines import job as job_machine
from frameloom.common.relay import JobRelay
from frameloom.common.settings import KafkaSettings
from frameloom.common.topics import Topics
from frameloom.local.process import ChildProcess
from frameloom.local.servers.directory import DataDirectory
from frameloom.local.servers.ports import assign
from frameloom.local.servers.tansu import TansuServer

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"### `(frameloom\.[\w.-]+)`\n.*?```json\n(.*?)```", PAGE, flags=re.DOTALL))
WAIT = 60.0
NOW = datetime(2026, 11, 23, tzinfo=UTC)


def asyncapi() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_events_asyncapi", ROOT / "tools" / "asyncapi.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_there_is_an_example_of_every_type() -> None:
    assert set(EXAMPLES) == set(EVENT_TYPES)


@pytest.mark.parametrize("name", sorted(EVENT_TYPES))
def test_an_example_has_exactly_the_fields_of_its_model(name: str) -> None:
    example = json.loads(EXAMPLES[name])
    event = EVENT_TYPES[name].model_validate(example)
    assert keys(event.model_dump(mode="json")) == keys(example)


def keys(value: Any) -> Any:
    """The names in a JSON value, at every depth."""
    if isinstance(value, dict):
        return {name: keys(entry) for name, entry in value.items()}
    return [keys(entry) for entry in value] if isinstance(value, list | tuple) else None


def test_headers_are_those_of_an_encoded_event() -> None:
    event = JobEventMessage.model_validate_json(EXAMPLES["frameloom.job-event.v1"])
    section = PAGE.partition("## The envelope")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `([\w-]+)`", section, flags=re.MULTILINE)) == set(
        Encoded.of(event, "scheduler").headers
    )


def test_topics_are_all_there() -> None:
    topics = Topics("frameloom")
    section = PAGE.partition("## Topics")[2].partition("\n## ")[0]
    told = set(re.findall(r"^\| `([^`]+)`", section, flags=re.MULTILINE))
    assert told == {topic.name for topic in [*topics.standing(), *topics.of_pipelines(["<pipeline>"])]}
    assert set(re.findall(r"`(frameloom\.[\w-]+\.v\d+)`", section)) == set(EVENT_TYPES)


def test_types_of_job_events_are_those_that_the_machines_emit() -> None:
    folder = ROOT / "libs" / "common" / "src" / "frameloom" / "common" / "machines"
    source = (folder / "job.py").read_text() + (folder / "task.py").read_text()
    emitted = set(re.findall(r'"((?:job|task)\.[a-z]+)"', source))
    emitted |= {f"job.{status}" for status in JobStatus if status.terminal}
    body = PAGE.partition("<!-- job event types -->")[2].partition("<!-- end of job event types -->")[0]
    assert set(re.findall(r"^\| `([\w.]+)`", body, flags=re.MULTILINE)) == emitted


def test_asyncapi_is_up_to_date() -> None:
    assert asyncapi().PAGE.read_text(encoding="utf-8") == asyncapi().text(), (
        "run: python tools/asyncapi.py --write"
    )


def test_asyncapi_has_every_topic_and_every_event() -> None:
    document = json.loads((ROOT / "docs" / "asyncapi.json").read_text(encoding="utf-8"))
    topics = Topics("frameloom")
    assert {channel["address"] for channel in document["channels"].values()} == {
        *(topic.name for topic in [*topics.standing(), *topics.of_pipelines(["{pipeline}"])]),
        asyncapi().SOCKET,
    }
    named = {message["name"] for message in document["components"]["messages"].values()}
    assert named == {*EVENT_TYPES, "LiveMessage", "Subscribe", "Unsubscribe", "Ping"}
    for reference in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document)):
        found = document
        for part in reference.split("/"):
            found = found[part]


@pytest.mark.parametrize("service", ["gateway", "scheduler", "worker", "results"])
def test_asyncapi_knows_the_consumers_that_are_wired(service: str) -> None:
    """The consumers are read from the source, since they are made only once the servers have answered."""
    app = importlib.import_module(f"frameloom.{service}.app")
    tree = ast.parse(inspect.getsource(app.main))
    known: dict[str, Any] = {**vars(app), "kafka": SimpleNamespace(topics=Topics("frameloom"))}
    wired = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == "feed":
            known["feed"] = value_of(node.value, known)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "Consumption":
            named = {keyword.arg: keyword.value for keyword in node.keywords}
            topics = value_of(named["topics"] if "topics" in named else node.args[1], known)
            wired |= {(topic, value_of(named["group"], known)) for topic in topics}
    assert wired
    # A worker's intake is no such consumer: it is a loop of its own.
    receivers = [r for r in asyncapi().RECEIVERS if r.service == service and r.name != "intake"]
    assert {(endpoint.topic, endpoint.group) for endpoint in receivers} == wired


def value_of(expression: ast.expr, known: dict[str, Any]) -> Any:
    return eval(compile(ast.Expression(expression), "app", "eval"), known)


async def test_the_subscriber_of_the_page_works(tmp_path: Path) -> None:
    """On the embedded broker: each event once, repetitions passed over, gaps told, strangers ignored."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.partition("## A subscriber")[2], flags=re.DOTALL)
    (tmp_path / "subscriber.py").write_text(code)
    directory = DataDirectory(tmp_path / "data")
    directory.acquire()
    port = assign({"broker": False}, {})["broker"]
    broker = TansuServer(directory, port, storage="memory", s3={}, bucket="")
    await broker.start()
    try:
        await publish(broker.address, [1, 2, 1, 2, 3, 6])
        environment = {**os.environ, "KAFKA": broker.address}
        child = await ChildProcess.spawn([sys.executable, str(tmp_path / "subscriber.py")], env=environment)
        try:
            assert child.output is not None
            async with asyncio.timeout(WAIT):
                lines = [(await child.output.readline()).decode().strip() for _ in range(5)]
        finally:
            await child.kill()
    finally:
        await broker.stop()
        directory.release()
    assert lines == [
        "job-1 1 job.started running",
        "job-1 2 job.started running",
        "job-1 3 job.started running",
        "job-1 gap: 4 to 5",
        "job-1 6 job.started running",
    ]


async def publish(address: str, sequence: list[int]) -> None:
    settings = KafkaSettings(bootstrap_servers=address, idempotent_producer=False, partitions=2)
    kafka = Kafka(settings, "tests")
    async with kafka.running():
        letter = EVENT_TYPES["frameloom.dead-letter.v1"].model_validate_json(
            EXAMPLES["frameloom.dead-letter.v1"]
        )
        await kafka.publish(letter, kafka.topics.events)
        for seq in sequence:
            event = JobEventMessage(job_id="job-1", tenant="t", seq=seq, type="job.started", status="running")
            await kafka.publish(event, kafka.topics.events)


async def test_the_feed_can_be_filled_again_from_the_documents() -> None:
    """What docs/operations.md tells: lower ``relayed_seq``, raise ``relay_due``, start the services."""
    jobs = MemoryJobStore(ManualClock())
    first, again = MemoryPublisher(), MemoryPublisher()
    await jobs.insert(job_with_two_events())
    await relayed(jobs, first)
    held = jobs.held["j"]
    assert (held.relayed_seq, held.relay_due) == (2, False)
    jobs.held["j"] = held.model_copy(update={"relayed_seq": 0, "relay_due": True})
    await relayed(jobs, again)
    assert again.sent == first.sent
    assert [event.seq for _, event in again.sent if isinstance(event, JobEventMessage)] == [1, 2]


def job_with_two_events() -> JobDocument:
    media = MediaRef(key="k", filename="a.mp4", size_bytes=1, sha256="00")
    job = job_machine.submit(job_machine.Submission("j", "t", media, ("p",), {}), NOW)
    return job_machine.request_cancel(job, NOW).after


async def relayed(jobs: MemoryJobStore, publisher: MemoryPublisher) -> None:
    relay = JobRelay(jobs, publisher, "events")
    async with relay.running():
        await relay.sweep()
