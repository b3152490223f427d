"""The two face networks, run by OpenCV: YuNet finds faces, SFace tells them apart."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from frameloom.worker.models.store import ModelStore

Pixels = npt.NDArray[np.uint8]
Embedding = npt.NDArray[np.float32]

_NMS_THRESHOLD = 0.3
_CANDIDATES = 5000


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """A face in one frame; all in pixels of the frame that was searched.

    Attributes:
        box: Left, top, width, height; may reach over the edge of the frame.
        landmarks: ``float32 [5, 2]``: right eye, left eye, tip of the nose, right and left corner of the
            mouth, right and left as the person has them.
        score: 0 to 1.
        raw: YuNet's own row, which SFace needs for the alignment.
    """

    box: tuple[float, float, float, float]
    landmarks: npt.NDArray[np.float32]
    score: float
    raw: npt.NDArray[np.float32]


class FaceFinder:
    """YuNet (Wu et al., 2023) on frames of one size."""

    def __init__(self, models: ModelStore, size: tuple[int, int], score_threshold: float) -> None:
        # One object per process: its settings are set again for every video.
        self._network = models.load("yunet", _load_yunet)
        self._network.setInputSize(size)
        self._network.setScoreThreshold(score_threshold)
        self._size = size

    def find(self, pixels: Pixels) -> list[Face]:
        """Faces of a frame, ``uint8 [height, width, 3]`` BGR, best first."""
        height, width = pixels.shape[:2]
        scale_x, scale_y = width / self._size[0], height / self._size[1]
        if (width, height) != self._size:
            small = cv2.resize(pixels, self._size, interpolation=cv2.INTER_AREA)
        else:
            small = pixels
        _, rows = self._network.detect(small)
        if rows is None:
            return []
        # 14 coordinates, x and y in turn, then the score.
        rows = np.asarray(rows, np.float32).copy()
        rows[:, 0:14:2] *= scale_x
        rows[:, 1:14:2] *= scale_y
        return [_face(row) for row in rows[np.argsort(-rows[:, 14], kind="stable")]]


class FaceEmbedder:
    """SFace (Zhong et al., 2021): 128 numbers per face, alike for the same person."""

    def __init__(self, models: ModelStore) -> None:
        self._network = models.load("sface", _load_sface)

    def embed(self, pixels: Pixels, face: Face) -> Embedding:
        """Unit vector ``float32 [128]`` of a face in this BGR frame."""
        aligned = self._network.alignCrop(pixels, face.raw)
        vector = np.asarray(self._network.feature(aligned), np.float32).reshape(-1)
        norm = float(np.linalg.norm(vector))
        return vector / norm if norm > 0 else vector.copy()


def _face(row: npt.NDArray[np.float32]) -> Face:
    x, y, width, height = (float(value) for value in row[:4])
    return Face(box=(x, y, width, height), landmarks=row[4:14].reshape(5, 2), score=float(row[14]), raw=row)


def _load_yunet(path: Path) -> cv2.FaceDetectorYN:
    _quiet()
    return cv2.FaceDetectorYN.create(str(path), "", (320, 320), 0.7, _NMS_THRESHOLD, _CANDIDATES)


def _load_sface(path: Path) -> cv2.FaceRecognizerSF:
    _quiet()
    return cv2.FaceRecognizerSF.create(str(path), "")


def _quiet() -> None:
    # OpenCV 5 warns for every model that its new engine knows no targets: errors are enough.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
