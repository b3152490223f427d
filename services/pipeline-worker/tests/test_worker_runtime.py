"""Threads, device and number format of models, by settings."""

from __future__ import annotations

import subprocess
import sys

import pytest

from frameloom.worker import runtime
from frameloom.worker.settings import RuntimeSettings


def test_a_child_computes_with_one_thread_unless_told_otherwise() -> None:
    assert runtime.environment({}, RuntimeSettings())["OMP_NUM_THREADS"] == "1"
    assert runtime.environment({}, RuntimeSettings(threads=3))["OMP_NUM_THREADS"] == "3"
    assert runtime.environment({"PATH": "x"}, RuntimeSettings(threads=0)) == {"PATH": "x"}
    mine = runtime.environment({"OMP_NUM_THREADS": "7"}, RuntimeSettings())
    assert mine["OMP_NUM_THREADS"] == "7", "the operator knows better"


def test_torch_in_a_process_of_that_environment_obeys() -> None:
    pytest.importorskip("torch")
    code = "import torch; print(torch.get_num_threads())"
    env = runtime.environment({}, RuntimeSettings(threads=1))
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"


def test_the_device() -> None:
    def unasked() -> bool:
        raise AssertionError("a CPU was asked for")

    assert runtime.device(unasked, RuntimeSettings(device="cpu")) == "cpu"
    assert runtime.device(lambda: True, RuntimeSettings()) == "cuda"
    assert runtime.device(lambda: False, RuntimeSettings()) == "cpu"
    with pytest.raises(runtime.DeviceUnavailableError, match="FRAMELOOM_RUNTIME_DEVICE"):
        runtime.device(lambda: False, RuntimeSettings(device="cuda"))


def test_the_number_format_of_whisper(monkeypatch: pytest.MonkeyPatch) -> None:
    assert runtime.compute_type("cpu", RuntimeSettings()) == "int8"
    assert runtime.compute_type("cuda", RuntimeSettings()) == "float16"
    monkeypatch.setenv("FRAMELOOM_RUNTIME_PRECISION", "float32")
    assert runtime.compute_type("cpu") == "float32"
