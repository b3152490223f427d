"""YAMNet: how likely each of 521 classes of sound is in 0.96 seconds.

The network is in eight-bit numbers, its input and output too, so scores come in steps (0.18, 0.32, 0.50,
0.68, 0.82, 0.91, …). It takes one patch at a time, in about a millisecond.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from frameloom.worker.pipelines.sounds.logmel import Samples, log_mel

if TYPE_CHECKING:
    from pathlib import Path

    from frameloom.worker.models.store import ModelStore

MODEL = "yamnet"
WEIGHTS = "yamnet-weights"
FILES = (MODEL, WEIGHTS)

Scores = npt.NDArray[np.float32]

# What the file says of its input and output (initializers "audio_…" and "class_scores_…").
_INPUT_SCALE, _INPUT_ZERO = 0.047937885, 144
_OUTPUT_SCALE, _OUTPUT_ZERO = 0.7565417, 190
_WEIGHTS_FOLDER = "session.model_external_initializers_file_folder_path"


class Yamnet:
    """The loaded network; keeps nothing from one patch to the next.

    Args:
        session: Of the model; see :func:`yamnet`.
    """

    def __init__(self, session: Any) -> None:
        self._session = session

    def scores(self, samples: Samples) -> Scores:
        """Probabilities of the classes in one stretch of :data:`~.logmel.SAMPLES` samples: ``[521]``."""
        levels = np.round(log_mel(samples) / _INPUT_SCALE) + _INPUT_ZERO
        patch = np.clip(levels, 0, 255).astype(np.uint8)
        (answer,) = self._session.run(None, {"audio": patch[None, None]})
        logits = (answer[0].astype(np.float32) - _OUTPUT_ZERO) * _OUTPUT_SCALE
        probabilities: Scores = 1.0 / (1.0 + np.exp(-np.clip(logits, -60.0, 60.0)))
        return probabilities


def yamnet(models: ModelStore) -> Yamnet:
    """The network, loaded once per process.

    Raises:
        ModelUnavailableError: A file can not be had.
    """
    return models.load_folder(FILES, _load)


def _load(folder: Path) -> Yamnet:
    import onnxruntime  # noqa: PLC0415 - takes half a second

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # too small to share out
    # onnxruntime does not follow links out of a model's folder, and these files are links into the cache.
    options.add_session_config_entry(_WEIGHTS_FOLDER, str((folder / "model.data").resolve().parent))
    graph = (folder / "model.onnx").read_bytes()
    return Yamnet(onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"]))
