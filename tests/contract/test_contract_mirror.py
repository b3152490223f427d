"""A mirror of models in the object store, on every ground."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from frameloom.common.adapters.s3 import S3ObjectStore
from frameloom.common.settings import S3Settings
from frameloom.worker.models import ModelSpec, ModelStore, ModelUnavailableError, OperatorSource
from support.grounds import Ground

WEIGHTS = b"weights" * 1000


async def test_a_mirror_in_the_object_store(
    ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in ground.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("FRAMELOOM_S3_BUCKET", "mirror")
    wanted = ModelSpec(
        name="mine",
        version="1",
        file_name="mine.bin",
        sha256=hashlib.sha256(WEIGHTS).hexdigest(),
        size_bytes=len(WEIGHTS),
        licence="MIT",
        source=OperatorSource("in our own bucket"),
    )
    mirror = "s3://mirror/models"
    async with S3ObjectStore.connected(S3Settings()) as objects:
        with pytest.raises(ModelUnavailableError, match="in our own bucket"):
            ModelStore(tmp_path / "a", [wanted], mirrors=(mirror,)).path("mine")
        await objects.put(f"models/{wanted.place}", WEIGHTS, "application/octet-stream")
    assert ModelStore(tmp_path / "b", [wanted], mirrors=(mirror,)).path("mine").read_bytes() == WEIGHTS
