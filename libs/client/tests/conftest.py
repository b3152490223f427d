"""What the client's tests share: a small server that speaks the gateway's shapes (``client_gateway``)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for client_gateway

from client_gateway import Gateway


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    running = Gateway().start()
    yield running
    running.stop()


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"\0" * 100_000)
    return path


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("FRAMELOOM_SERVER", "FRAMELOOM_API_KEY", "FRAMELOOM_DATA", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
