"""Events over the wire: CloudEvents headers, tolerance for newer producers, poison told apart."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from frameloom.common.errors import PoisonMessageError
from frameloom.common.events import EVENT_TYPES, Encoded, JobEventMessage, TaskDispatched, decode
from frameloom.common.topics import Topics

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def test_there_and_back() -> None:
    event = JobEventMessage(
        job_id="j", tenant="t", seq=3, type="job.started", status="running", time=NOW, data={"a": [1]}
    )
    encoded = Encoded.of(event, "scheduler")
    assert decode(encoded.body, encoded.headers) == event
    assert encoded.key == b"j"
    assert encoded.headers["ce_specversion"] == "1.0"
    assert encoded.headers["ce_type"] == "frameloom.job-event.v1"
    assert encoded.headers["ce_source"] == "/frameloom/scheduler"
    assert encoded.headers["ce_subject"] == "j"
    assert encoded.headers["ce_sequence"] == "3"
    assert encoded.headers["ce_id"] == event.id


def test_a_field_of_a_newer_producer_is_passed_over() -> None:
    encoded = Encoded.of(TaskDispatched(task_id="t", job_id="j", pipeline="p", attempt=1), "scheduler")
    body = encoded.body[:-1] + b',"novelty":true}'
    event = decode(body, encoded.headers)
    assert isinstance(event, TaskDispatched)
    assert event.task_id == "t"


@pytest.mark.parametrize(
    ("body", "headers", "told"),
    [
        (b"{}", {}, "Unknown event type None"),
        (b"{}", {"ce_type": "frameloom.job-event.v9"}, "frameloom.job-event.v9"),
        (b"\xff\x00", {"ce_type": "frameloom.task-dispatched.v1"}, "does not fit"),
        (b"{}", {"ce_type": "frameloom.task-dispatched.v1"}, "task_id"),
        (None, {"ce_type": "frameloom.task-dispatched.v1"}, "does not fit"),
    ],
)
def test_poison_is_named(body: bytes | None, headers: dict[str, str], told: str) -> None:
    with pytest.raises(PoisonMessageError, match=told):
        decode(body, headers)


def test_every_type_names_its_version() -> None:
    assert all(name.rsplit(".v", 1)[1].isdigit() for name in EVENT_TYPES)


def test_topics_share_a_prefix() -> None:
    topics = Topics("lab")
    names = [topic.name for topic in [*topics.standing(), *topics.of_pipelines(["p"])]]
    assert all(name.startswith("lab.") for name in names)
    assert len(set(names)) == len(names)
