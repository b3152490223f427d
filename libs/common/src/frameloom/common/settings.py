"""Settings: one class per dependency, read from the environment, composed per service."""

from __future__ import annotations

import os
import socket
from typing import Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from frameloom.common.errors import ConfigurationError


class KafkaSettings(BaseSettings):
    """The message broker (anything that speaks Kafka's protocol)."""

    model_config = SettingsConfigDict(env_prefix="FRAMELOOM_KAFKA_", frozen=True)

    bootstrap_servers: str
    idempotent_producer: bool = True
    """Off only for brokers without it, such as the embedded one."""
    topic_prefix: str = "frameloom"
    create_topics: bool = True
    partitions: int = Field(default=8, ge=1)
    replication_factor: int = Field(default=1, ge=1)
    session_timeout_seconds: float = Field(default=10.0, gt=0)
    max_poll_interval_seconds: float = Field(default=300.0, gt=0)
    fetch_max_wait_ms: int = Field(default=250, ge=1)
    """How long the broker holds an empty answer back. A broker that looks again only now and then within this
    time (the embedded one) wants it short."""
    connect_timeout_seconds: float = Field(default=60.0, gt=0)


class MongoSettings(BaseSettings):
    """The document database (anything that speaks MongoDB's protocol)."""

    model_config = SettingsConfigDict(env_prefix="FRAMELOOM_MONGO_", frozen=True)

    uri: SecretStr
    database: str = "frameloom"
    timeout_seconds: float = Field(default=10.0, gt=0)
    connect_timeout_seconds: float = Field(default=60.0, gt=0)


class S3Settings(BaseSettings):
    """The object store (anything that speaks S3)."""

    model_config = SettingsConfigDict(env_prefix="FRAMELOOM_S3_", frozen=True)

    endpoint: str
    access_key: str
    secret_key: SecretStr
    bucket: str = "frameloom"
    region: str = "us-east-1"
    secure: bool = True
    public_endpoint: str | None = None
    """Where clients reach the object store, if it is not where the services do: the address, beginning with
    ``https://`` or ``http://``, without a path. Presigned addresses lead there."""
    threads: int = Field(default=8, ge=1)
    connect_timeout_seconds: float = Field(default=60.0, gt=0)

    @field_validator("public_endpoint")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value is None or not value.strip():
            return None
        address = urlsplit(value.strip())
        if address.scheme not in {"http", "https"} or not address.netloc or address.path.strip("/"):
            raise ValueError("must be like https://files.example.org, without a path")
        return f"{address.scheme}://{address.netloc}"

    @property
    def public(self) -> tuple[str, bool]:
        """Host and port where clients reach the store, and whether by TLS."""
        if self.public_endpoint is None:
            return self.endpoint, self.secure
        address = urlsplit(self.public_endpoint)
        return address.netloc, address.scheme == "https"


class LogSettings(BaseSettings):
    """How logs are written."""

    model_config = SettingsConfigDict(env_prefix="FRAMELOOM_LOG_", frozen=True)

    format: Literal["auto", "console", "json"] = "auto"
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"


class LeaseSettings(BaseSettings):
    """How long a claim on a task holds without a sign of life."""

    model_config = SettingsConfigDict(env_prefix="FRAMELOOM_LEASE_", frozen=True)

    seconds: float = Field(default=15.0, gt=0)
    finalize_seconds: float = Field(default=900.0, gt=0)
    """How long the results service may take from a worker's last chunk to the visible result. It can be away
    that long; on the other hand chunks that a broker has lost are missed only then."""

    @property
    def renew_every_seconds(self) -> float:
        """A third of the lease, so that one lost renewal does not lose the task."""
        return self.seconds / 3


class FleetSettings(BaseSettings):
    """How processes announce themselves."""

    model_config = SettingsConfigDict(env_prefix="FRAMELOOM_FLEET_", frozen=True)

    host: str = Field(default_factory=socket.gethostname)
    announce_every_seconds: float = Field(default=3.0, gt=0)
    live_within_seconds: float = Field(default=12.0, gt=0)


S = TypeVar("S", bound=BaseSettings)


def load(settings: type[S]) -> S:
    """Reads one settings class from the environment.

    Raises:
        ConfigurationError: A variable is missing or wrong; the message names each.
    """
    try:
        return settings()
    except ValidationError as error:
        problems = [f"{_variable(settings, item['loc'])}: {item['msg']}" for item in error.errors()]
        raise ConfigurationError(
            "; ".join(problems), hint="Set the variables named in docs/operations.md, or use `frameloom up`."
        ) from error


def _variable(settings: type[BaseSettings], place: tuple[int | str, ...]) -> str:
    """The variable that a problem is about; of one with several names the one that is set."""
    for field in settings.model_fields.values():
        if isinstance(names := field.validation_alias, AliasChoices) and place[0] in names.choices:
            return str(next((name for name in names.choices if name in os.environ), place[0]))
    prefix = settings.model_config.get("env_prefix", "")
    return f"{prefix}{'_'.join(map(str, place))}".upper()
