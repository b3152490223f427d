"""Pieces of COCO files that the pipelines share."""

from __future__ import annotations

from typing import Any

from frameloom.common.pipelines import ArtefactSpec, Item, MediaInfo, Row

ANNOTATIONS = "annotations"
IMAGES = "images"


def image_row(image_id: str, media: MediaInfo, video_id: str, frame_number: int, timestamp: float) -> Item:
    """An entry of ``images``: one frame of the video; the file name is a label, no such file exists."""
    return Item(
        list=IMAGES,
        row={
            "id": image_id,
            "width": media.width,
            "height": media.height,
            "file_name": f"frame_{frame_number:06d}.jpg",
            "video_id": video_id,
            "frame_number": frame_number,
            "timestamp": seconds(timestamp),
        },
    )


def seconds(value: float) -> float:
    """Media time as written to files: microseconds, without the dust of binary fractions."""
    return round(float(value), 6)


def artefact(
    suffix: str, info: Row, categories: list[dict[str, Any]], *, copies: dict[str, str] | None = None
) -> ArtefactSpec:
    """A COCO file: ``info``, ``licenses``, annotations before images, then the categories.

    Viewers tell the kind of a file by its first few thousand characters, so annotations come first.
    """
    return ArtefactSpec(
        suffix=suffix,
        head={"info": info, "licenses": []},
        lists=(ANNOTATIONS, *(copies or {}), IMAGES),
        copies=copies or {},
        tail={"categories": categories},
    )
