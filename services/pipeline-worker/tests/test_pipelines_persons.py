"""The person pipeline on real pictures, and its files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import worker_clips as clips

from frameloom.common.pipelines import Item
from frameloom.worker.errors import TaskError
from frameloom.worker.models import ModelStore
from frameloom.worker.pipelines import run
from frameloom.worker.pipelines.parts import RunSummary
from frameloom.worker.pipelines.person_tracking import PersonTracking

Fetch = Callable[..., ModelStore]
MODELS = ("nanodet", "nanodet-graph", "mobilenetv2-bottleneck")
FIELDS = [
    "id", "image_id", "category_id", "keypoints", "num_keypoints", "bbox", "area", "iscrowd", "score",
    "track_id", "timestamp", "frame_number", "person_id", "person_label", "label_confidence",
    "labeling_method",
]  # fmt: skip
Lists = dict[str, list[dict[str, Any]]]


def persons(clip: Path, store: ModelStore, config: dict[str, Any] | None = None) -> tuple[Lists, RunSummary]:
    items: list[Item] = []
    summary = run(
        PersonTracking.configured(config or {}, store),
        clip,
        emit=lambda rows, start, end: items.extend(rows),
        progress=lambda told: None,
    )
    names = ("annotations", "images", "person_tracks")
    return {name: [item.row for item in items if item.list == name] for name in names}, summary


def still(path: Path, image: np.ndarray, frames: int = 25) -> Path:
    """A clip that shows one picture."""
    height, width = (side - side % 2 for side in image.shape[:2])
    cut = np.ascontiguousarray(image[:height, :width])
    return clips.write(path, lambda i: cut, size=(width, height), frames=frames)


def picture_of(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24")


@pytest.mark.models
def test_one_actress_is_one_person_for_twenty_seconds(fetched: Fetch, tmp_path: Path) -> None:
    store = fetched(*MODELS, "wolfgang")
    lists, summary = persons(store.path("wolfgang"), store, {"pps": 3})
    rows, images = lists["annotations"], lists["images"]
    assert len(images) == summary.frames
    assert len(rows) >= 0.9 * len(images)
    assert list(rows[0]) == FIELDS
    assert {row["person_id"] for row in rows} == {"person_WolfgangLanger_Pexels_001"}
    for row in rows:
        left, top, width, height = row["bbox"]
        assert 0 <= left < left + width <= 640.01
        assert 0 <= top < top + height <= 360.01
        assert row["keypoints"] == [0] * 51
    (one,) = lists["person_tracks"]
    assert one["detections"] == len(rows)
    assert one["label"] == "unknown", "alone, nobody is small or tall"
    assert summary.models == {name: store.digest(name) for name in MODELS}
    main, listed = summary.artefacts
    assert (main.suffix, listed.suffix) == ("_person_tracking.json", "_person_tracks.json")
    assert "keypoints" in main.head["info"]["notes"][0]
    assert listed.tail["labeling_metadata"]["total_persons"] == 1
    reads_as_coco_and_for_viewers(lists, summary, tmp_path)


def reads_as_coco_and_for_viewers(lists: Lists, summary: RunSummary, folder: Path) -> None:
    coco = pytest.importorskip("pycocotools.coco")
    main = summary.artefacts[0]
    file = folder / "persons.json"
    parts = {**main.head, **{name: lists[name] for name in main.lists}, **main.tail}
    file.write_text(json.dumps(parts))
    loaded = coco.COCO(str(file))
    assert loaded.getCatIds(["person"]) == [1]
    assert len(loaded.getAnnIds(catIds=[1])) == len(lists["annotations"])
    assert len(loaded.loadCats([1])[0]["keypoints"]) == 17
    # The viewer looks at the beginning only, and takes these words for other kinds of files.
    start = file.read_text()[:10_000]
    assert '"keypoints"' in start
    assert '"bbox"' in start
    assert not any(f'"{word}"' in start for word in ("face_id", "attributes", "emotions", "scene_type"))


@pytest.mark.models
def test_five_people_are_five(fetched: Fetch, tmp_path: Path) -> None:
    store = fetched(*MODELS, "multi-face")
    clip = still(tmp_path / "five.mp4", picture_of(store.path("multi-face")))
    config = {"pps": 5, "conf_threshold": 0.35, "start_threshold": 0.35, "exports": ["mot", "cvat"]}
    lists, summary = persons(clip, store, config)
    for image in lists["images"]:
        ids = [row["track_id"] for row in lists["annotations"] if row["image_id"] == image["id"]]
        assert sorted(ids) == [1, 2, 3, 4, 5]
    assert len(lists["person_tracks"]) == 5
    assert [artefact.writer for artefact in summary.artefacts] == ["json", "json", "mot", "cvat"]


@pytest.mark.models
def test_without_tracking_each_frame_stands_alone(fetched: Fetch, tmp_path: Path) -> None:
    store = fetched(*MODELS, "multi-face")
    clip = still(tmp_path / "five.mp4", picture_of(store.path("multi-face")), frames=5)
    config = {"pps": 25, "track_mode": False, "conf_threshold": 0.35, "max_persons": 3}
    lists, summary = persons(clip, store, config)
    assert len(lists["annotations"]) == 15
    assert not any("track_id" in row for row in lists["annotations"])
    assert len({row["person_id"] for row in lists["annotations"]}) == 15
    assert lists["person_tracks"] == []
    assert set(summary.models) == {"nanodet", "nanodet-graph"}


@pytest.mark.models
def test_nobody_is_nobody_and_one_frame_is_enough(fetched: Fetch, tmp_path: Path) -> None:
    store = fetched(*MODELS, "no-face", "wolfgang")
    lists, _ = persons(store.path("no-face"), store, {"pps": 2})
    assert lists["annotations"] == lists["person_tracks"] == []
    assert lists["images"]
    lists, _ = persons(still(tmp_path / "one.mp4", picture_of(store.path("wolfgang")), frames=1), store)
    assert len(lists["annotations"]) == len(lists["person_tracks"]) == 1


@pytest.mark.parametrize(
    "config",
    [
        {"conf_threshold": 1.5}, {"model": "yolov8n.pt"}, {"pps": 0}, {"exports": ["xml"]},
        {"max_persons": 101}, {"infant_height_ratio": 0},
    ],
)  # fmt: skip
def test_persons_configurations_out_of_range(tmp_path: Path, config: dict[str, Any]) -> None:
    with pytest.raises(TaskError) as caught:
        PersonTracking.configured(config, ModelStore(tmp_path, fetch=False))
    assert next(iter(config)) in caught.value.message


def test_the_names_of_videoannotators_networks_pass_and_are_told(tmp_path: Path) -> None:
    tracking = PersonTracking.configured(
        {"model": "models/yolo/yolo11n-pose.pt", "iou_threshold": 0.7}, ModelStore(tmp_path, fetch=False)
    )
    schema = PersonTracking.info.config_schema["properties"]["model"]
    assert tracking.config.iou_threshold == 0.7
    assert "models/yolo/yolo11n-pose.pt" in schema["x-without-effect"]["when"]
