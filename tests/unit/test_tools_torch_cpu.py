"""Which build of torch tools/torch_cpu.py accepts, without touching pip or the network."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest


def _load() -> ModuleType:
    path = Path(__file__).parents[2] / "tools" / "torch_cpu.py"
    spec = importlib.util.spec_from_file_location("torch_cpu_tool", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


torch_cpu = _load()
CUDA_12 = 'nvidia-cublas-cu12==12.8.4.1; platform_system == "Linux" and platform_machine == "x86_64"'
CUDA_13 = 'cuda-toolkit[cublas]==13.0.2; platform_system == "Linux"'


@pytest.mark.parametrize(
    ("version", "requires", "system", "machine", "cpu"),
    [
        ("2.13.0+cpu", (), "Linux", "x86_64", True),
        ("2.13.0+cpu.cxx11", (), "Linux", "x86_64", True),
        ("2.13.0+cu130", (), "Linux", "x86_64", False),
        ("2.13.0+rocm7.0", (), "Linux", "x86_64", False),
        ("2.13.0+xpu", (), "Windows", "AMD64", False),
        ("2.13.0", (CUDA_12,), "Linux", "x86_64", False),
        ("2.13.0", (CUDA_13,), "Linux", "x86_64", False),
        ("2.13.0", (CUDA_13,), "Linux", "aarch64", False),
        ("2.13.0", (CUDA_12,), "Linux", "aarch64", True),
        ("2.13.0", ("filelock", 'nvidia-ml-py; extra == "monitor"'), "Linux", "x86_64", True),
        ("2.13.0", ("filelock",), "Darwin", "arm64", True),
        ("2.13.0", (CUDA_13,), "Darwin", "arm64", True),
        ("2.13.0", (), "Windows", "AMD64", True),
    ],
)
def test_build_is_recognised(
    version: str, requires: tuple[str, ...], system: str, machine: str, cpu: bool
) -> None:
    assert torch_cpu.is_cpu_build(torch_cpu.Build(version, requires), system, machine) is cpu


@pytest.mark.parametrize(
    "requirement", ["torch", "torch>=2", "torchvision==1.0", "torch==2.13.0; rm", "torch=="]
)
def test_malformed_requirement_is_refused(requirement: str) -> None:
    with pytest.raises(torch_cpu.TorchError, match="expected torch==VERSION"):
        torch_cpu.parse(requirement)


def test_report_of_pip_is_read() -> None:
    report = {
        "version": "1",
        "install": [
            {"metadata": {"name": "filelock", "version": "4.0"}},
            {"metadata": {"name": "torch", "version": "2.13.0", "requires_dist": [CUDA_13]}},
        ],
    }
    assert torch_cpu.build_of_report(json.dumps(report)) == torch_cpu.Build("2.13.0", (CUDA_13,))
    assert torch_cpu.build_of_report('{"install": []}') is None


def test_present_version_is_kept_whatever_its_build(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("pip was asked")

    monkeypatch.setattr(torch_cpu, "installed_version", lambda: "2.13.0+cu130")
    monkeypatch.setattr(torch_cpu, "chosen_by_pip", never)
    assert torch_cpu.install("torch==2.13.0") == "torch 2.13.0+cu130 is here already"


def test_gpu_build_is_never_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(torch_cpu, "installed_version", lambda: None)
    monkeypatch.setattr(torch_cpu, "chosen_by_pip", lambda _: torch_cpu.Build("2.13.0+cu130"))
    monkeypatch.setattr(torch_cpu, "install_from_cpu_index", asked.append)
    line = torch_cpu.install("torch==2.13.0")
    assert asked == ["2.13.0"]
    assert "instead of 2.13.0+cu130, a GPU build" in line


def test_wrong_use_fails_with_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    assert torch_cpu.main([]) == 1
    assert "expected torch==VERSION" in (error := capsys.readouterr().err)
    assert "hint" in error
