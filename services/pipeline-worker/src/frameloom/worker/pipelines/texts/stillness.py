"""Whether a picture is still the one that was read: a cheap look that saves the dear one."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from frameloom.worker.pipelines.texts.network import Pixels

_SIDE = 192


class Stillness:
    """Compares pictures, brought down to 192 pixels, with the last one that was read.

    Averaging takes away grain, while text that comes or goes changes the brightness of several cells.
    """

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._read: npt.NDArray[np.int16] | None = None

    def unchanged(self, pixels: Pixels) -> bool:
        """Whether no cell's brightness differs by the threshold or more; if one does, this is read now."""
        height, width = pixels.shape[:2]
        factor = min(1.0, _SIDE / max(width, height))
        size = max(1, round(width * factor)), max(1, round(height * factor))
        small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        grey = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY).astype(np.int16)
        if self._read is not None and int(np.abs(grey - self._read).max()) < self._threshold:
            return True
        self._read = grey
        return False
