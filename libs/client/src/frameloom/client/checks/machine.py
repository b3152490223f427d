"""What the machine offers: disk, GPU, room for models."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from frameloom.client.checks import Finding
from frameloom.client.checks.installed import versions

_GIB = 1 << 30
_LITTLE_GIB = 5.0
_TOO_LITTLE_GIB = 0.5
_SMI_SECONDS = 10.0
_MOST_FILES = 20_000


def disk(folder: Path) -> Finding:
    """Room where the embedded stack keeps its data, whether the folder exists yet or not."""
    there = folder
    while not there.exists() and there != there.parent:
        there = there.parent
    try:
        usage = shutil.disk_usage(there)
    except OSError as error:
        return Finding(
            "disk", "fail", f"{folder}: {error.strerror or error}", "Name another folder: --data DIR"
        )
    free = usage.free / _GIB
    facts = {"folder": str(folder), "free_bytes": usage.free, "total_bytes": usage.total}
    message = f"{free:.1f} GiB free for {folder}"
    if not os.access(there, os.W_OK):
        return Finding(
            "disk", "fail", f"{there} can not be written", "Name another folder: --data DIR", facts
        )
    if free < _TOO_LITTLE_GIB:
        return Finding("disk", "fail", message, "Free some space, or name another folder: --data DIR", facts)
    if free < _LITTLE_GIB:
        return Finding("disk", "warn", message, "Videos and results need room; free some", facts)
    return Finding("disk", "ok", message, facts=facts)


def gpu() -> Finding:
    """NVIDIA GPUs, and whether the installed torch can use them."""
    cards = _cards()
    torch = versions(["torch"]).get("torch")
    facts = {"gpus": cards, "torch": torch}
    if not cards:
        return Finding("gpu", "ok", "none: pipelines run on the CPU", facts=facts)
    listed = "; ".join(cards)
    if torch is not None and torch.endswith("+cpu"):
        return Finding(
            "gpu",
            "warn",
            f"{listed}, but torch {torch} is built for the CPU",
            "Install a CUDA build of torch in the worker's environment",
            facts,
        )
    return Finding("gpu", "ok", listed, facts=facts)


def _cards() -> list[str]:
    """Name and memory of each GPU, as the driver's own tool tells."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    query = [tool, "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=_SMI_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in answer.stdout.splitlines() if line.strip()]


def models_cache(environment: Mapping[str, str]) -> Finding:
    """Where downloaded weights are kept, and how much is there already."""
    folder = _cache_folder(environment)
    if not folder.is_dir():
        return Finding(
            "models cache",
            "ok",
            f"{folder} is made when the first model needs it",
            facts={"folder": str(folder)},
        )
    size, files = _size(folder)
    facts = {"folder": str(folder), "size_bytes": size, "files": files}
    message = f"{files} files, {size / (1 << 20):.1f} MiB in {folder}"
    if not os.access(folder, os.W_OK):
        return Finding("models cache", "warn", f"{folder} can not be written", "Make it yours", facts)
    return Finding("models cache", "ok", message, facts=facts)


def _cache_folder(environment: Mapping[str, str]) -> Path:
    """As the worker finds it."""
    named = environment.get("FRAMELOOM_MODEL_DIR")
    if named:
        return Path(named)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "frameloom" / "models"
    base = environment.get("XDG_CACHE_HOME", "")
    root = Path(base) if Path(base).is_absolute() else Path.home() / ".cache"
    return root / "frameloom" / "models"


def _size(folder: Path) -> tuple[int, int]:
    total = count = 0
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            total += path.stat().st_size
            count += 1
        if count >= _MOST_FILES:
            break
    return total, count
