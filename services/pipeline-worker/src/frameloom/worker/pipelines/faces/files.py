"""The files of ``face_analysis``: COCO, and what ``exports`` asks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from frameloom.common.pipelines import ArtefactSpec, Row
from frameloom.worker.pipelines import coco
from frameloom.worker.pipelines.faces.config import PersonIdentityConfig

CATEGORY: dict[str, Any] = {"id": 100, "name": "face", "supercategory": "person"}
EMBEDDINGS = "embeddings"

_COLUMNS: list[list[str]] = [
    ["frame", "frame_number", "integer"],
    ["timestamp", "timestamp", "number"],
    ["face_id", "face_id", "integer"],
    ["left", "bbox.0", "number"],
    ["top", "bbox.1", "number"],
    ["width", "bbox.2", "number"],
    ["height", "bbox.3", "number"],
    ["score", "score", "number"],
]
_MOOD: list[list[str]] = [
    ["emotion", "emotion", "text"],
    ["emotion_confidence", "emotion_confidence", "number"],
]


def main_file(info: Row) -> ArtefactSpec:
    """The COCO file that viewers read."""
    return coco.artefact("_face_detections.json", info, [CATEGORY])


def links_file(info: Row, identity: PersonIdentityConfig) -> ArtefactSpec:
    """The same faces with the persons that they belong to: written when both pipelines have ended."""
    return ArtefactSpec(
        suffix="_face_person_links.json",
        writer="face_links",
        joins="person_tracking",
        head={
            "info": {**info, "description": "Frameloom COCO export: faces and their persons"},
            "licenses": [],
        },
        tail={"categories": [CATEGORY]},
        options={
            "least_overlap": identity.iou_threshold,
            "require_person_id": identity.require_person_id,
        },
    )


def exports(names: Sequence[str], emotions: Sequence[str], step_seconds: float) -> tuple[ArtefactSpec, ...]:
    """The same faces in other formats.

    Args:
        names: Which.
        emotions: The words that rows have scores for; none if emotions were not estimated.
        step_seconds: From one frame that was looked at to the next.
    """
    scores = [[f"emotion_{word}", f"emotion_scores.{word}", "number"] for word in emotions]
    columns = [*_COLUMNS, *(_MOOD if emotions else ()), *scores]
    made = {
        "emotion": ArtefactSpec(
            suffix=".emotion.json",
            format="emotion",
            writer="emotion",
            options={"step_seconds": step_seconds, "taxonomy": "ekman-7"},
        ),
        "csv": ArtefactSpec(
            suffix="_faces.csv",
            format="CSV",
            media_type="text/csv",
            writer="csv",
            options={"columns": columns},
        ),
        "parquet": ArtefactSpec(
            suffix="_faces.parquet",
            format="Parquet",
            media_type="application/vnd.apache.parquet",
            writer="parquet",
            options={"columns": columns},
        ),
        "embeddings": ArtefactSpec(
            suffix="_embeddings.json",
            format="JSON",
            head={"info": {"model": "sface-2021dec", "length": 128, "similarity": "cosine"}},
            lists=(EMBEDDINGS,),
            counted=EMBEDDINGS,
        ),
    }
    wanted = [name for name in dict.fromkeys(names) if emotions or name != "emotion"]
    return tuple(made[name] for name in wanted)
