"""The GPUs of a machine: none without a driver; with one, what it tells (its library is a stand-in)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SOURCE = r"""
#include <string.h>
typedef struct { unsigned long long total, free, used; } memory_t;
typedef struct { unsigned int gpu, memory; } rates_t;
static int calls = 0;
int nvmlInitWithFlags(unsigned int f) { return INIT; }
int nvmlSystemGetDriverVersion(char *s, unsigned int n) { strncpy(s, "550.54.15", n); return 0; }
int nvmlSystemGetCudaDriverVersion_v2(int *v) { *v = 12040; return 0; }
int nvmlDeviceGetCount_v2(unsigned int *n) { *n = 2; return calls++ == FAIL_AT ? 999 : 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned int i, void **d) { *d = (void *)(unsigned long)(i + 1); return 0; }
int nvmlDeviceGetMemoryInfo(void *d, memory_t *m) { m->total = 80; m->free = 50; m->used = 30; return 0; }
int nvmlDeviceGetUUID(void *d, char *s, unsigned int n) {
    strncpy(s, d == (void *)1 ? "GPU-1" : "GPU-2", n); return 0; }
int nvmlDeviceGetName(void *d, char *s, unsigned int n) { strncpy(s, "Card of the test", n); return 0; }
int nvmlDeviceGetUtilizationRates(void *d, rates_t *r) { r->gpu = 42; return d == (void *)1 ? 0 : 3; }
int nvmlDeviceGetCudaComputeCapability(void *d, int *a, int *b) { *a = 9; *b = 0; return 0; }
const char *nvmlErrorString(int r) { return "odd"; }
"""
LOOK = """
import json, sys
from frameloom.worker.gpus import GpuProbe
probe = GpuProbe()
looks = [[gpu.model_dump() for gpu in probe.read()] for _ in range(int(sys.argv[1]))]
print(json.dumps(looks))
"""


def looks(folder: Path | None, count: int = 1) -> list[list[dict[str, Any]]]:
    """What a process finds at each look, with the library of a folder."""
    environment = {**os.environ, **({"LD_LIBRARY_PATH": str(folder)} if folder else {})}
    done = subprocess.run(
        [sys.executable, "-c", LOOK, str(count)], env=environment, capture_output=True, text=True, check=True
    )
    return list(json.loads(done.stdout.splitlines()[-1]))


def library(folder: Path, *, fail_at: int = -1, init: int = 0) -> Path:
    compiler = shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("needs a C compiler on Linux")
    (folder / "nvml.c").write_text(SOURCE)
    command = [compiler, "-shared", "-fPIC", f"-DFAIL_AT={fail_at}", f"-DINIT={init}"]
    subprocess.run(
        [*command, "-o", str(folder / "libnvidia-ml.so.1"), str(folder / "nvml.c")], check=True, cwd=folder
    )
    return folder


@pytest.mark.skipif(shutil.which("nvidia-smi") is not None, reason="this machine has a driver")
def test_without_a_driver_there_are_none() -> None:
    assert looks(None, 2) == [[], []]


def test_what_the_driver_tells_is_passed_on(tmp_path: Path) -> None:
    ((first, second),) = looks(library(tmp_path))
    assert first == {
        "index": 0,
        "uuid": "GPU-1",
        "name": "Card of the test",
        "memory_total_bytes": 80,
        "memory_used_bytes": 30,
        "memory_free_bytes": 50,
        "utilization_percent": 42,
        "driver_version": "550.54.15",
        "cuda_version": "12.4",
        "compute_capability": "9.0",
    }
    assert (second["uuid"], second["utilization_percent"]) == ("GPU-2", None)


def test_a_driver_that_stumbles_is_asked_again(tmp_path: Path) -> None:
    found = looks(library(tmp_path, fail_at=0), 2)
    assert [len(gpus) for gpus in found] == [0, 2]


def test_a_driver_that_is_not_loaded_is_no_error(tmp_path: Path) -> None:
    assert looks(library(tmp_path, init=9), 2) == [[], []]
