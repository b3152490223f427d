"""The tables of the docs say what the code says; their links lead somewhere."""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from frameloom.common.adapters.mongo import (
    MongoFleetStore,
    MongoJobStore,
    MongoKeyStore,
    MongoTaskStore,
    MongoUploadStore,
)
from frameloom.common.documents import (
    Attempt,
    Failure,
    FailureCategory,
    MediaRef,
    TaskDocument,
    TaskResult,
    TaskState,
)
from frameloom.common.machines import job as job_machine
from frameloom.common.machines import task as task_machine
from frameloom.common.machines.retry import DEFAULT_RULES, RetryPolicy
from frameloom.common.machines.task import TaskMachine
from frameloom.common.machines.transition import Refused
from frameloom.common.topics import Topics
from frameloom.results import layout

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
OURS = (
    "index.md",
    "architecture.md",
    "operations.md",
    "events.md",
    "reliability.md",
    "api/pipelines.md",
    "api/system.md",
    "pipelines/README.md",
    "pipelines/writing.md",
)
NOW = datetime(2026, 11, 23, tzinfo=UTC)


def tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"docs_{name}", ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def table(text: str, mark: str) -> list[list[str]]:
    """The rows of the table between ``<!-- mark -->`` and ``<!-- end of mark -->``, without its head."""
    body = text.partition(f"<!-- {mark} -->")[2].partition(f"<!-- end of {mark} -->")[0]
    rows = [line.strip().strip("|").split("|") for line in body.splitlines() if line.startswith("|")]
    assert len(rows) > 2, mark
    return [[cell.strip() for cell in row] for row in rows[2:]]


def coded(cell: str) -> list[str]:
    """What stands between back quotes."""
    return re.findall(r"`([^`]+)`", cell)


def test_the_table_of_metrics_is_the_gateways_list() -> None:
    metrics = tool("metrics_table")
    told = page("operations.md").partition(metrics.BEGIN)[2].partition(metrics.END)[0]
    assert told.strip() == metrics.table(), "run: python tools/metrics_table.py --write"


@pytest.mark.parametrize(
    ("mark", "legal"),
    [("task transitions", task_machine.LEGAL), ("job transitions", job_machine.LEGAL)],
)
def test_transition_tables_are_those_of_the_machines(mark: str, legal: dict[str, frozenset[str]]) -> None:
    told = {coded(row[0])[0]: set(coded(row[1])) for row in table(page("architecture.md"), mark)}
    assert told == {str(reason): {str(state) for state in states} for reason, states in legal.items()}


def tasks_in(state: TaskState) -> Iterator[TaskDocument]:
    """Tasks in a state: at the first and at a late attempt, with and without a cancel requested."""
    attempt = Attempt(number=1, epoch=1, worker="w", started_at=NOW)
    media = MediaRef(key="k", filename="a.mp4", size_bytes=1, sha256="00")
    for number, cancel in itertools.product((1, 99), (False, True)):
        yield TaskDocument(
            id="t",
            job_id="j",
            tenant="a",
            pipeline="p",
            media=media,
            created_at=NOW,
            state=state,
            attempt=number,
            epoch=1,
            cancel_requested=cancel,
            attempts=(attempt,),
        )


def changes(machine: TaskMachine, reason: str, task: TaskDocument) -> list[Any]:
    failure = Failure(category=FailureCategory.WORKER_LOST, message="m")
    result = TaskResult(epoch=1, manifest_key="m", artefacts=(), annotation_count=1)
    ask = {
        "ready": lambda: machine.ready(task, ()),
        "abandon": lambda: machine.abandon(task, failure, NOW),
        "dispatch": lambda: machine.dispatch(task, NOW),
        "claim": lambda: machine.claim(task, attempt=task.attempt, worker="w", now=NOW),
        "renew": lambda: machine.renew(task, epoch=1, progress=None),
        "finish": lambda: machine.finish(task, epoch=1),
        "complete": lambda: machine.complete(task, result, NOW),
        "fail": lambda: machine.fail(task, failure, epoch=1, now=NOW),
        "release": lambda: machine.release(task, epoch=1, now=NOW),
        "expire": lambda: machine.expire(task, NOW),
        "request_cancel": lambda: machine.request_cancel(task, NOW),
        "cancel": lambda: machine.cancel(task, epoch=1, now=NOW),
    }[reason]
    with contextlib.suppress(Refused):
        return [ask()]
    return []


def test_the_task_table_tells_where_each_reason_leads_and_what_it_emits() -> None:
    machine = TaskMachine(RetryPolicy(), lease_seconds=1, finalize_seconds=1)
    for reason, _, to, _, events in table(page("architecture.md"), "task transitions"):
        name = coded(reason)[0]
        tasks = [task for state in TaskState for task in tasks_in(state)]
        found = [change for task in tasks for change in changes(machine, name, task)]
        assert set(coded(to)) == {change.after.state.value for change in found}, name
        emitted = {event.type for change in found for event in change.after.outbox}
        assert set(coded(events)) == emitted, name


def test_the_retry_table_is_that_of_the_code() -> None:
    told = {
        coded(row[0])[0]: tuple(float(cell) for cell in row[1:4])
        for row in table(page("reliability.md"), "retry rules")
    }
    assert told == {
        str(category): (rule.attempts, rule.backoff_seconds, rule.backoff_limit_seconds)
        for category, rule in DEFAULT_RULES.items()
    }


def test_topics_are_told_with_their_keeping_and_their_users() -> None:
    asyncapi = tool("asyncapi")
    topics = Topics("frameloom")
    known = [*topics.standing(), *topics.of_pipelines(["<pipeline>"])]
    rows = table(page("architecture.md"), "topics")
    told = {f"frameloom.{coded(row[0])[0]}": row[1:] for row in rows}
    assert {name: cells[0] for name, cells in told.items()} == {
        topic.name: str(topic.retention_hours) for topic in known
    }
    for name, (_, _, senders, receivers, events) in told.items():
        topic = name.replace("<pipeline>", asyncapi.PIPELINE)
        sent = [endpoint for endpoint in asyncapi.SENDERS if endpoint.topic == topic]
        received = [endpoint for endpoint in asyncapi.RECEIVERS if endpoint.topic == topic]
        assert senders == ", ".join(sorted({endpoint.service for endpoint in sent})), name
        assert receivers == ", ".join(sorted({endpoint.service for endpoint in received}) or ["nobody"]), name
        assert set(coded(events)) == {kind.__name__ for endpoint in sent for kind in endpoint.events}, name


class Recorder:
    """A database that remembers which indexes were asked for."""

    def __init__(self) -> None:
        self.asked: dict[str, list[str]] = {}

    def collection(self, name: str) -> Any:
        recorder = self.asked.setdefault(name, [])

        class Collection:
            async def create_index(self, keys: list[tuple[str, int]], **options: Any) -> None:
                recorder.append(", ".join(name for name, _ in keys))

        return Collection()


async def test_collections_and_indexes_are_those_of_the_adapters() -> None:
    recorder = Recorder()
    stores = (MongoJobStore, MongoTaskStore, MongoKeyStore, MongoUploadStore)
    for make in (*stores, lambda mongo: MongoFleetStore(mongo, 1.0)):
        await make(recorder).create_indexes()
    told = {coded(row[0])[0]: coded(row[3]) for row in table(page("architecture.md"), "indexes")}
    assert told == recorder.asked


def test_keys_in_the_bucket_are_those_of_the_layout() -> None:
    told = set(coded(page("architecture.md").partition("## Keys in the bucket")[2].partition("\n## ")[0]))
    assert layout.chunk("<job>", "<task>", 1, 0) in told
    assert layout.manifest("<job>", "<pipeline>", 1) in told
    assert f"{layout.results_of_epoch('<job>', '<pipeline>', 1)}artefact<suffix>" in told


def test_environment_variables_are_up_to_date() -> None:
    settings = tool("settings_table")
    told = page("operations.md").partition(settings.BEGIN)[2].partition(settings.END)[0]
    assert told.strip() == settings.tables(), "run: python tools/settings_table.py --write"


def test_every_meaning_has_its_field() -> None:
    settings = tool("settings_table")
    known: set[str] = set()
    for kind in settings.CLASSES:
        documented = settings.field_docs(kind)
        prefix = kind.model_config["env_prefix"]
        known |= {f"{prefix}{name}".upper() for name in kind.model_fields if name not in documented}
    assert set(settings.MEANINGS) == known


def test_log_events_of_the_operations_page_exist() -> None:
    sources = "".join(
        path.read_text(encoding="utf-8")
        for pattern in ("libs/common/src/**/*.py", "services/*/src/**/*.py")
        for path in ROOT.glob(pattern)
    )
    logged = set(re.findall(r'log\.(?:info|warning|error)\(\s*"([^"]+)"', sources))
    section = page("operations.md").partition("## Logs")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    told = {name for row in rows for name in coded(row.split("|")[1])}
    assert told
    assert told <= logged


def pages() -> list[Path]:
    members = [*ROOT.glob("libs/*/README.md"), *ROOT.glob("services/*/README.md")]
    others = [ROOT / "CONTRIBUTING.md", *(ROOT / "changes").glob("*.md"), *DOCS.glob("adr/*.md")]
    return [*(DOCS / name for name in OURS), *others, *members]


@pytest.mark.parametrize("path", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        assert target.exists(), link
        if anchor:
            heads = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), flags=re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", head).lower().replace(" ", "-") for head in heads}, link


def test_every_decision_is_listed() -> None:
    listed = page("adr/README.md")
    for path in DOCS.glob("adr/0*.md"):
        assert f"({path.name})" in listed
        assert path.read_text(encoding="utf-8").startswith(f"# {path.name[:4]}: ")
