"""Installs a CPU build of torch, and never the CUDA build by accident.

    python tools/torch_cpu.py torch==2.13.0

PyPI's torch for Linux on x86-64 is a CUDA build of several gigabytes. So this asks pip first which build it
would choose from the indexes that are configured here, takes that if it is a CPU build (a local index may
hold one; on macOS and Windows PyPI's own is one), and otherwise fetches the wheel, and only the wheel, from
the index of CPU builds that PyTorch keeps. A torch of the wanted version that is here already stays,
whichever build it is: somebody chose it. Standard library only.
"""

from __future__ import annotations

import importlib.metadata
import json
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

CPU_INDEX = "https://download.pytorch.org/whl/cpu"
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")
_WANTED = re.compile(r"torch==(?P<version>[0-9][0-9A-Za-z.]*)")


class TorchError(Exception):
    """torch could not be installed; the message says why and what helps."""


@dataclass(frozen=True)
class Build:
    """A build of torch, as its metadata tells of it."""

    version: str
    requires: tuple[str, ...] = ()


def public_version(version: str) -> str:
    """The version without its build: ``2.13.0`` of ``2.13.0+cpu``."""
    return version.partition("+")[0]


def is_cpu_build(build: Build, system: str, machine: str) -> bool:
    """Whether a build runs on the CPU alone.

    Args:
        build: What pip would install.
        system: As ``platform.system()`` names it.
        machine: As ``platform.machine()`` names it.
    """
    local = build.version.partition("+")[2]
    if local:
        return local.split(".")[0] == "cpu"
    if system != "Linux":
        return True
    return not _needs_cuda(build.requires, machine)


def _needs_cuda(requires: Iterable[str], machine: str) -> bool:
    """A CUDA build names NVIDIA's libraries as requirements, at times only for some machines."""
    for requirement in requires:
        name, _, marker = requirement.partition(";")
        other_machine = "platform_machine ==" in marker and machine not in marker
        extra = "extra ==" in marker
        if name.strip().lower().startswith(("nvidia-", "cuda-")) and not other_machine and not extra:
            return True
    return False


def parse(requirement: str) -> str:
    """The wanted version.

    Raises:
        TorchError: The requirement is not of the form ``torch==VERSION``.
    """
    match = _WANTED.fullmatch(requirement.replace(" ", ""))
    if match is None:
        raise TorchError(f"expected torch==VERSION, got {requirement!r}")
    return match["version"]


def build_of_report(report: str) -> Build | None:
    """The torch in the report of ``pip install --dry-run --report -``, if it holds one."""
    for item in json.loads(report).get("install", []):
        metadata = item["metadata"]
        if metadata["name"].lower() == "torch":
            return Build(metadata["version"], tuple(metadata.get("requires_dist", ())))
    return None


def installed_version() -> str | None:
    """The version of the torch that is here, if any."""
    try:
        return importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return None


def chosen_by_pip(requirement: str) -> Build | None:
    """The build pip would take from the indexes configured here; None if it finds none."""
    ask = ("install", "--dry-run", "--no-deps", "--ignore-installed", "--quiet", "--report", "-")
    asked = subprocess.run([*PIP, *ask, requirement], capture_output=True, text=True, check=False)
    return build_of_report(asked.stdout) if asked.returncode == 0 else None


def install_from_cpu_index(version: str) -> None:
    """Fetches the one wheel from PyTorch's index; what torch needs comes from the usual indexes."""
    with tempfile.TemporaryDirectory() as folder:
        _pip("download", "--no-deps", "--dest", folder, "--index-url", CPU_INDEX, f"torch=={version}+cpu")
        wheels = [str(wheel) for wheel in Path(folder).glob("torch-*.whl")]
        _pip("install", *wheels)


def _pip(*arguments: str) -> None:
    done = subprocess.run([*PIP, arguments[0], "--quiet", *arguments[1:]], check=False)
    if done.returncode != 0:
        raise TorchError(f"pip {arguments[0]} failed with exit code {done.returncode}; its words are above")


def install(requirement: str) -> str:
    """Installs what was asked for and returns one line that says what was chosen.

    Raises:
        TorchError: The requirement is malformed, or no CPU build could be had.
    """
    version = parse(requirement)
    present = installed_version()
    if present is not None and public_version(present) == public_version(version):
        return f"torch {present} is here already"
    build = chosen_by_pip(requirement)
    if build is not None and is_cpu_build(build, platform.system(), platform.machine()):
        _pip("install", f"torch=={build.version}")
        return f"installed torch {build.version}, a CPU build, from the configured package indexes"
    install_from_cpu_index(public_version(version))
    passed_over = f" instead of {build.version}, a GPU build" if build else ""
    return f"installed torch {installed_version()} from PyTorch's index of CPU builds{passed_over}"


def main(arguments: list[str]) -> int:
    """Runs the command."""
    try:
        print(install(" ".join(arguments)))
    except TorchError as error:
        print(f"torch_cpu: {error}", file=sys.stderr)
        print(
            "hint: is there a network, and a build of that version for this Python? A CPU wheel of your own "
            "serves too: pip install ./torch-VERSION+cpu-….whl, then run this again.",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
