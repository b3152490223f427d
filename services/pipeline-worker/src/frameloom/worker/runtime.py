"""How models are computed: threads, device and number format, by :class:`RuntimeSettings`.

The rule is one thread a slot. Slots run side by side, and threads of one that meet threads of another on
busy cores wait for each other: person_tracking fell from 33 to 5 frames a second with two torch threads on
two busy cores. OpenMP reads its variable when a library loads, so the parent sets it for the child
(:func:`environment`); ONNX Runtime does not read it, so sessions are made here (:func:`onnx_session`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from frameloom.common.documents.task import FailureCategory
from frameloom.worker.errors import TaskError
from frameloom.worker.settings import RuntimeSettings

Device = Literal["cpu", "cuda"]

_OPENMP = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class DeviceUnavailableError(TaskError):
    """The settings ask for a GPU, and there is none that this library can use."""


def environment(given: Mapping[str, str], settings: RuntimeSettings | None = None) -> dict[str, str]:
    """The environment of a child process: the one given, with the number of threads in it.

    What the operator has set for OpenMP itself stays as it is.
    """
    threads = (settings or RuntimeSettings()).threads
    own = {name: str(threads) for name in _OPENMP} if threads else {}
    return {**own, **given}


def threads(settings: RuntimeSettings | None = None) -> int:
    """With how many threads to compute; 0 leaves it to the library."""
    return (settings or RuntimeSettings()).threads


def device(has_gpu: Callable[[], bool], settings: RuntimeSettings | None = None) -> Device:
    """Where to load a model of a pipeline that can use a GPU.

    Args:
        has_gpu: Whether the library sees one; asked only if it matters.
        settings: Those of the process unless given.

    Raises:
        DeviceUnavailableError: ``cuda`` is set, and there is none.
    """
    wanted = (settings or RuntimeSettings()).device
    if wanted == "cpu":
        return "cpu"
    if has_gpu():
        return "cuda"
    if wanted == "cuda":
        raise DeviceUnavailableError(
            FailureCategory.PROVIDER_TERMINAL,
            "FRAMELOOM_RUNTIME_DEVICE is cuda, and the worker has no GPU that can be used.",
        )
    return "cpu"


def compute_type(on: Device, settings: RuntimeSettings | None = None) -> str:
    """The number format of CTranslate2 on a device."""
    wanted = (settings or RuntimeSettings()).precision
    if wanted != "auto":
        return wanted
    return "float16" if on == "cuda" else "int8"


def onnx_session(path: str | Path, *, most_threads: int | None = None) -> Any:
    """An ONNX Runtime session on the CPU, with the threads of the settings.

    Args:
        path: The model.
        most_threads: For networks too small to gain from more.
    """
    import onnxruntime  # noqa: PLC0415 - takes half a second

    count = threads() or os.cpu_count() or 1
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = min(count, most_threads or count)
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
