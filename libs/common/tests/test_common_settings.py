"""Settings from the environment: typed, and a fault names its variable."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from frameloom.common.errors import ConfigurationError
from frameloom.common.settings import (
    KafkaSettings,
    LeaseSettings,
    LogSettings,
    MongoSettings,
    S3Settings,
    load,
)


def test_values_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAMELOOM_KAFKA_BOOTSTRAP_SERVERS", "broker:1")
    monkeypatch.setenv("FRAMELOOM_KAFKA_PARTITIONS", "3")
    monkeypatch.setenv("FRAMELOOM_KAFKA_IDEMPOTENT_PRODUCER", "false")
    settings = load(KafkaSettings)
    assert (settings.bootstrap_servers, settings.partitions, settings.idempotent_producer) == (
        "broker:1",
        3,
        False,
    )


def test_every_fault_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FRAMELOOM_KAFKA_BOOTSTRAP_SERVERS", raising=False)
    monkeypatch.setenv("FRAMELOOM_KAFKA_PARTITIONS", "none")
    with pytest.raises(ConfigurationError) as caught:
        load(KafkaSettings)
    assert "FRAMELOOM_KAFKA_BOOTSTRAP_SERVERS" in caught.value.message
    assert "FRAMELOOM_KAFKA_PARTITIONS" in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        (LeaseSettings, "FRAMELOOM_LEASE_SECONDS", "0"),
        (LeaseSettings, "FRAMELOOM_LEASE_FINALIZE_SECONDS", "-1"),
        (LogSettings, "FRAMELOOM_LOG_LEVEL", "LOUD"),
    ],
)
def test_values_that_can_not_work_are_refused(
    monkeypatch: pytest.MonkeyPatch, kind: type[LeaseSettings], name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=name):
        load(kind)


def test_there_is_no_credential_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ENDPOINT", "ACCESS_KEY", "SECRET_KEY"):
        monkeypatch.delenv(f"FRAMELOOM_S3_{name}", raising=False)
    monkeypatch.setenv("FRAMELOOM_S3_ENDPOINT", "store:1")
    with pytest.raises(ConfigurationError) as caught:
        load(S3Settings)
    assert "FRAMELOOM_S3_ACCESS_KEY" in caught.value.message
    assert "FRAMELOOM_S3_SECRET_KEY" in caught.value.message


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAMELOOM_MONGO_URI", "mongodb://user:hunter2@db")
    settings = load(MongoSettings)
    assert "hunter2" not in repr(settings)
    assert settings.uri.get_secret_value().endswith("hunter2@db")


@pytest.mark.parametrize(
    ("value", "public"),
    [
        (None, ("store:9000", True)),
        ("", ("store:9000", True)),
        ("https://files.example.org", ("files.example.org", True)),
        ("http://localhost:9000/", ("localhost:9000", False)),
    ],
)
def test_clients_may_reach_the_store_elsewhere(value: str | None, public: tuple[str, bool]) -> None:
    settings = S3Settings(
        endpoint="store:9000", access_key="a", secret_key=SecretStr("b"), public_endpoint=value
    )
    assert settings.public == public


@pytest.mark.parametrize("value", ["files.example.org", "s3://bucket", "https://", "https://host/path"])
def test_a_public_endpoint_that_is_none_is_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ENDPOINT", "ACCESS_KEY", "SECRET_KEY"):
        monkeypatch.setenv(f"FRAMELOOM_S3_{name}", "x")
    monkeypatch.setenv("FRAMELOOM_S3_PUBLIC_ENDPOINT", value)
    with pytest.raises(ConfigurationError, match="FRAMELOOM_S3_PUBLIC_ENDPOINT"):
        load(S3Settings)
