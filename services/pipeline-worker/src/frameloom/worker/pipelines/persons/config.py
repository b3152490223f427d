"""The configuration of ``person_tracking``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from frameloom.worker.pipelines.base import SegmentableConfig, without_effect

YOLO = [
    f"{folder}yolo11{size}-pose.pt" for folder in ("models/yolo/", "") for size in ("n", "s", "m", "l", "x")
]
Model = Literal[
    "nanodet-g-416",
    "models/yolo/yolo11n-pose.pt",
    "models/yolo/yolo11s-pose.pt",
    "models/yolo/yolo11m-pose.pt",
    "models/yolo/yolo11l-pose.pt",
    "models/yolo/yolo11x-pose.pt",
    "yolo11n-pose.pt",
    "yolo11s-pose.pt",
    "yolo11m-pose.pt",
    "yolo11l-pose.pt",
    "yolo11x-pose.pt",
]
Export = Literal["mot", "cvat", "csv", "parquet"]


class PersonConfig(SegmentableConfig):
    """Configuration of ``person_tracking``; has every key of VideoAnnotator's pipeline of this name."""

    model: Model = Field(
        "nanodet-g-416",
        description="Network that finds persons. The names of VideoAnnotator's networks are accepted.",
        json_schema_extra=without_effect(
            "YOLO11's licence (AGPL) keeps it out; nanodet-g-416 is used, which has no body points",
            when=YOLO,
        ),
    )
    pps: float = Field(10.0, gt=0.0, le=240.0, description="Frames per second of video to look at.")
    conf_threshold: float = Field(
        0.4, ge=0.0, le=1.0, description="Least score of a person; someone followed already may have less."
    )
    start_threshold: float = Field(
        0.5,
        ge=0.0,
        le=1.0,
        description="Least score of a box that begins a track, where it is above conf_threshold.",
    )
    low_threshold: float = Field(
        0.1, ge=0.01, le=1.0, description="Least score of a box that continues a track."
    )
    iou_threshold: float = Field(
        0.5, ge=0.0, le=1.0, description="Overlap from which on two boxes count as one person."
    )
    max_persons: int = Field(50, ge=1, le=100, description="Most persons per frame; the best are kept.")
    track_mode: bool = Field(
        default=True, description="Follow persons from frame to frame. Off: each frame stands alone."
    )
    lost_seconds: float = Field(
        1.0, ge=0.0, le=60.0, description="How long a track waits for a person who is hidden."
    )
    relink: bool = Field(
        default=True, description="Join a new track to a person who left shortly before and looks alike."
    )
    relink_seconds: float = Field(
        10.0, ge=0.0, le=600.0, description="How long a person may be away and be known again."
    )
    relink_threshold: float = Field(
        0.8, ge=0.0, le=1.0, description="Least cosine similarity of the appearances that are joined."
    )
    label_by_size: bool = Field(
        default=True, description="Label persons as parent or infant by their size beside each other."
    )
    infant_height_ratio: float = Field(
        0.55, gt=0.0, le=0.8, description="Height, beside the tallest person, up to which one is an infant."
    )
    precision: Literal["float32", "bfloat16"] = Field(
        "float32", description="Numbers that the network computes with; bfloat16 is faster on new processors."
    )
    exports: list[Export] = Field([], max_length=4, description="Further files with the same boxes.")
