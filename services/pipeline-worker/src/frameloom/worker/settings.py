"""Settings of the pipeline worker."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class WorkerSettings(BaseSettings):
    """What a worker runs, and with how much."""

    model_config = SettingsConfigDict(env_prefix="FRAMELOOM_WORKER_", frozen=True)

    pipelines: Annotated[tuple[str, ...], NoDecode] = ()
    """Names, separated by commas. Empty: every pipeline that is installed."""
    extra_pipelines: Annotated[tuple[str, ...], NoDecode] = ()
    """Pipelines under development, as ``module:Class``, separated by commas."""
    slots: int = Field(default=1, ge=1)
    """How many tasks run at once, each in a child process of its own."""
    share_decode: bool = True
    """A claimed task takes the waiting tasks of its job along, as far as they can run here: the video is
    decoded once for all of them. Off, every task has a slot of its own."""
    cache_dir: Path = Field(default_factory=lambda: Path.home() / ".cache" / "frameloom" / "media")
    cache_bytes: int = Field(default=20 * 1024**3, ge=1)
    """Media files beyond this are removed, the least recently used first; those in use stay."""
    grace_seconds: float = Field(default=20.0, ge=0)
    """How long running tasks may go on after SIGTERM before they are given back."""
    task_timeout_seconds: float = Field(default=6 * 3600.0, gt=0)
    """An attempt that takes longer is ended, unless the task brings its own deadline."""
    child_start_seconds: float = Field(default=120.0, gt=0)
    """A child process that is not ready by then is given up: importing models can take long."""
    nice: int = Field(default=0, ge=0, le=19)
    """How far the child processes yield the processor to others of the machine, as Unix's ``nice``; 0: not at
    all. The embedded stack, where the gateway and the database run beside them, sets 10."""

    @field_validator("pipelines", "extra_pipelines", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(v.strip() for v in value.split(",") if v.strip()) if isinstance(value, str) else value


class ModelSettings(BaseSettings):
    """Where models are kept."""

    model_config = SettingsConfigDict(env_prefix="FRAMELOOM_MODEL_", frozen=True, env_ignore_empty=True)

    dir: Path | None = None
    """Cache of models and sample clips. None: the user's cache folder of the platform."""
    mirrors: Annotated[tuple[str, ...], NoDecode] = ()
    """Where model files are looked for before their package, separated by commas: absolute folders,
    ``s3://bucket/prefix`` (with the S3 settings), ``https://`` addresses."""

    @field_validator("mirrors", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        from frameloom.worker.models.sources.mirror import check_mirror  # noqa: PLC0415 - settings come first

        names = value.split(",") if isinstance(value, str) else value
        assert isinstance(names, list | tuple)
        return tuple(check_mirror(str(name).strip()) for name in names if str(name).strip())


class RuntimeSettings(BaseSettings):
    """How models are computed."""

    model_config = SettingsConfigDict(env_prefix="FRAMELOOM_RUNTIME_", frozen=True, env_ignore_empty=True)

    threads: int = Field(default=1, ge=0, le=1024)
    """Threads with which one slot computes, in torch, ONNX Runtime and CTranslate2; decoding has its own.
    0: as many as there are cores, for a machine that runs nothing but one slot."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where models run. auto: on a GPU where the pipeline has been written for one and it is there."""
    precision: Literal["auto", "float32", "float16", "int8"] = "auto"
    """Numbers that Whisper computes with. auto: int8 on a CPU, float16 on a GPU. The other models are small,
    and run as they are stored."""
