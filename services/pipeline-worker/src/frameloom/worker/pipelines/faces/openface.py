"""What an OpenFace 3 network says of a face, in the fields of VideoAnnotator's files."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from frameloom.common.pipelines import Row

EMBEDDING = "embedding"
LANDMARKS, UNITS, POSE, GAZE, EMOTION = "landmarks", "action_units", "head_pose", "gaze", "emotion"
OPTIONAL: Mapping[str, tuple[int, ...]] = {
    LANDMARKS: (98, 2),
    UNITS: (8,),
    POSE: (3,),
    GAZE: (2,),
    EMOTION: (8,),
}
"""Outputs that a network may have besides its embedding, with the shape for one face."""
POINTS = 98

_UNITS = (
    "AU01_Inner_Brow_Raiser", "AU02_Outer_Brow_Raiser", "AU04_Brow_Lowerer", "AU06_Cheek_Raiser",
    "AU09_Nose_Wrinkler", "AU12_Lip_Corner_Puller", "AU25_Lips_Part", "AU26_Jaw_Drop",
)  # fmt: skip
_EMOTIONS = ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt")
_PRESENT = 0.5

Numbers = npt.NDArray[np.float32]


def fields(found: Mapping[str, Numbers], points: Sequence[Sequence[float]]) -> Row:
    """The features of one face: only those that the network gave.

    Args:
        found: Its outputs for this face.
        points: Landmarks in pixels of the video; empty if there are none.
    """
    row: Row = {}
    if points:
        row["landmarks_2d"] = [list(point) for point in points]
    if UNITS in found:
        row["action_units"] = {
            name: {"intensity": round(float(value), 4), "presence": bool(value >= _PRESENT)}
            for name, value in zip(_UNITS, found[UNITS], strict=True)
        }
    if POSE in found:
        pitch, yaw, roll = (round(float(value), 3) for value in found[POSE])
        row["head_pose"] = {"pitch": pitch, "yaw": yaw, "roll": roll}
    if GAZE in found:
        row["gaze"] = _direction(*(float(value) for value in found[GAZE]))
    if EMOTION in found:
        row["emotion"] = _emotion(found[EMOTION])
    return row


def _direction(yaw: float, pitch: float) -> Row:
    """Angles in radians as a direction: right and down in the picture, and away from the camera."""
    return {
        "direction_x": round(-math.cos(pitch) * math.sin(yaw), 4),
        "direction_y": round(-math.sin(pitch), 4),
        "direction_z": round(-math.cos(pitch) * math.cos(yaw), 4),
    }


def _emotion(logits: Numbers) -> Row:
    powers = np.exp(np.float64(logits) - float(logits.max()))
    shares = powers / powers.sum()
    likeliest = int(shares.argmax())
    return {
        "dominant": _EMOTIONS[likeliest],
        "confidence": round(float(shares[likeliest]), 4),
        "probabilities": {
            name: round(float(share), 4) for name, share in zip(_EMOTIONS, shares, strict=True)
        },
    }
