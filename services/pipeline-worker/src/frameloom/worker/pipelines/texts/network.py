"""ONNX sessions for pictures whose size differs from one to the next."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]


def session(path: Path) -> Any:
    """A session on as many threads as ``OMP_NUM_THREADS`` says, like torch; else on all cores."""
    import onnxruntime  # noqa: PLC0415 - takes half a second

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = _threads(os.environ.get("OMP_NUM_THREADS", ""))
    options.inter_op_num_threads = 1
    # Every new shape would take another piece of an arena, and none is ever given back.
    options.enable_cpu_mem_arena = False
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # the cores may be others' too
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def planes(pixels: Pixels) -> npt.NDArray[np.float32]:
    """``uint8 [height, width, 3]`` to ``float32 [3, height, width]`` between -1 and 1."""
    return np.ascontiguousarray((pixels.astype(np.float32) / 127.5 - 1.0).transpose(2, 0, 1))


def _threads(text: str) -> int:
    """0 lets onnxruntime take all cores."""
    first = text.split(",", maxsplit=1)[0].strip()
    return int(first) if first.isdigit() else 0
