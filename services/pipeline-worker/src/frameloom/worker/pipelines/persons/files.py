"""The files of ``person_tracking``: COCO, the list of persons, and what ``exports`` asks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from frameloom.common.pipelines import ArtefactSpec, Row
from frameloom.worker.pipelines import coco

PERSONS = "person_tracks"
CATEGORY_ID = 1

_POINTS = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder",
    "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee",
    "right_knee", "left_ankle", "right_ankle",
)  # fmt: skip
_BONES = (
    (16, 14), (14, 12), (17, 15), (15, 13), (12, 13), (6, 12), (7, 13), (6, 7), (6, 8), (7, 9), (8, 10),
    (9, 11), (2, 3), (1, 2), (1, 3), (2, 4), (3, 5), (4, 6), (5, 7),
)  # fmt: skip
NO_POINTS: tuple[int, ...] = (0,) * (3 * len(_POINTS))
_COLUMNS: list[list[str]] = [
    ["frame", "frame_number", "integer"],
    ["timestamp", "timestamp", "number"],
    ["track_id", "track_id", "integer"],
    ["person_id", "person_id", "text"],
    ["left", "bbox.0", "number"],
    ["top", "bbox.1", "number"],
    ["width", "bbox.2", "number"],
    ["height", "bbox.3", "number"],
    ["score", "score", "number"],
    ["person_label", "person_label", "text"],
]


def main_file(info: Row) -> ArtefactSpec:
    """The COCO file that viewers read."""
    category: dict[str, Any] = {
        "id": CATEGORY_ID,
        "name": "person",
        "supercategory": "person",
        "keypoints": list(_POINTS),
        "skeleton": [list(bone) for bone in _BONES],
    }
    return coco.artefact("_person_tracking.json", info, [category])


def persons_file(video_id: str, metadata: Row) -> ArtefactSpec:
    """The list of persons."""
    return ArtefactSpec(
        suffix="_person_tracks.json",
        format="JSON",
        head={"video_id": video_id},
        lists=(PERSONS,),
        counted=PERSONS,
        tail={"labeling_metadata": metadata},
    )


def exports(names: Sequence[str]) -> tuple[ArtefactSpec, ...]:
    """The same boxes in other formats."""
    made = {
        "mot": ArtefactSpec(
            suffix="_person_tracking.mot.txt", format="MOT", media_type="text/plain", writer="mot"
        ),
        "cvat": ArtefactSpec(
            suffix="_person_tracking.cvat.xml",
            format="CVAT",
            media_type="application/xml",
            writer="cvat",
            options={"label": "kind", "unnamed": "person"},
        ),
        "csv": ArtefactSpec(
            suffix="_person_tracking.csv",
            format="CSV",
            media_type="text/csv",
            writer="csv",
            options={"columns": _COLUMNS},
        ),
        "parquet": ArtefactSpec(
            suffix="_person_tracking.parquet",
            format="Parquet",
            media_type="application/vnd.apache.parquet",
            writer="parquet",
            options={"columns": _COLUMNS},
        ),
    }
    return tuple(made[name] for name in dict.fromkeys(names))
