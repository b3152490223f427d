from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import worker_clips as clips

from frameloom.common.pipelines import ArtefactSpec, Item
from frameloom.worker.errors import TaskError
from frameloom.worker.frames import FrameRequest, Sampling, open_frames
from frameloom.worker.models import ModelStore
from frameloom.worker.pipelines import run
from frameloom.worker.pipelines.scene_detection import SceneDetection

RED, GREEN, BLUE = (200, 30, 30), (120, 240, 160), (40, 40, 110)

FIELDS = [
    "id", "image_id", "category_id", "bbox", "area", "iscrowd", "score", "video_id", "timestamp",
    "start_time", "end_time", "duration", "scene_type", "frame_start", "frame_end", "all_scores",
]  # fmt: skip


def scenes(
    clip: Path, config: dict[str, Any] | None = None, store: ModelStore | None = None
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], ArtefactSpec]:
    """Rows of ``annotations`` and ``images``, and the file's frame."""
    pipeline = SceneDetection.configured(
        config or {}, store or ModelStore(clip.parent / "models", fetch=False)
    )
    items: list[Item] = []
    summary = run(
        pipeline,
        clip,
        emit=lambda rows, start, end: items.extend(rows),
        progress=lambda told: None,
        video_id="v",
    )
    (artefact,) = summary.artefacts
    return (
        [i.row for i in items if i.list == "annotations"],
        [i.row for i in items if i.list == "images"],
        artefact,
    )


def ranges(rows: list[dict[str, Any]]) -> list[tuple[float, float]]:
    return [(row["start_time"], row["end_time"]) for row in rows]


def test_three_shots(tmp_path: Path) -> None:
    clip = clips.write(
        tmp_path / "a.mp4", clips.flat(320, 240, [RED, GREEN, BLUE], 50), size=(320, 240), frames=150
    )
    rows, images, artefact = scenes(clip)
    assert ranges(rows) == [(0.0, 2.0), (2.0, 4.0), (4.0, 6.0)]
    first, second, _ = rows
    assert list(first) == FIELDS
    assert [row["id"] for row in rows] == [1, 2, 3]
    assert second["bbox"] == [0, 0, 320, 240]
    assert (second["frame_start"], second["frame_end"]) == (50, 100)
    assert (second["timestamp"], second["duration"]) == (3.0, 2.0)
    assert (second["category_id"], second["scene_type"], second["all_scores"]) == (1, "unknown", {})
    assert second["image_id"] == images[1]["id"] == "v_frame_000074"
    assert images[1] == {
        "id": "v_frame_000074", "width": 320, "height": 240, "file_name": "frame_000074.jpg", "video_id": "v",
        "frame_number": 74, "timestamp": 3.0,
    }  # fmt: skip
    assert artefact.suffix == "_scene_detection.json"
    assert artefact.lists == ("annotations", "scenes", "images")
    assert artefact.copies == {"scenes": "annotations"}
    assert list(artefact.head) == ["info", "licenses"]
    assert "unknown" in artefact.head["info"]["notes"][0]
    json.dumps(rows)


def test_a_video_without_a_cut_is_one_scene(tmp_path: Path) -> None:
    for frames in (1, 60):
        rows, images, _ = scenes(
            clips.write(tmp_path / f"{frames}.mp4", clips.numbered(64, 48), frames=frames)
        )
        assert ranges(rows) == [(0.0, pytest.approx(frames / 25))]
        assert (rows[0]["frame_start"], rows[0]["frame_end"]) == (0, frames)
        assert len(images) == 1


def test_scenes_that_are_too_short_join_their_neighbour(tmp_path: Path) -> None:
    clip = clips.write(tmp_path / "a.mp4", clips.flat(64, 48, [RED, GREEN, BLUE], 20), frames=60)
    assert ranges(scenes(clip, {"min_scene_length": 0.5})[0]) == [(0.0, 0.8), (0.8, 1.6), (1.6, 2.4)]
    for row in scenes(clip, {"min_scene_length": 1.0})[0]:
        assert row["duration"] >= 1.0


def test_a_short_end_joins_the_last_scene(tmp_path: Path) -> None:
    clip = clips.write(tmp_path / "a.mp4", clips.flat(64, 48, [RED, GREEN], 50), frames=55)
    rows, _, _ = scenes(clip)
    assert ranges(rows) == [(0.0, pytest.approx(2.2))]
    assert ranges(scenes(clip, {"min_scene_length": 0.0})[0]) == [(0.0, 2.0), (2.0, pytest.approx(2.2))]


def test_the_threshold_decides(tmp_path: Path) -> None:
    clip = clips.write(
        tmp_path / "a.mp4", clips.flat(64, 48, [(90, 90, 90), (130, 130, 130)], 50), frames=100
    )
    assert len(scenes(clip, {"threshold": 5})[0]) == 2
    assert len(scenes(clip, {"threshold": 60})[0]) == 1


def test_times_are_those_of_the_frames_at_a_variable_rate(tmp_path: Path) -> None:
    times = [40 * i for i in range(25)] + [3000 + 500 * i for i in range(8)]
    clip = clips.write(tmp_path / "a.mp4", clips.flat(64, 48, [RED, GREEN], 25), times_ms=times)
    rows, _, _ = scenes(clip)
    assert rows[0]["end_time"] == rows[1]["start_time"] == 3.0
    assert rows[0]["frame_end"] == rows[1]["frame_start"] == 25


def test_rows_come_while_the_video_is_read(tmp_path: Path) -> None:
    clip = clips.write(tmp_path / "a.mp4", clips.flat(64, 48, [RED, GREEN, BLUE], 100), frames=300)
    ends: list[float] = []
    run(
        SceneDetection.configured({}, ModelStore(tmp_path, fetch=False)),
        clip,
        emit=lambda rows, start, end: ends.append(end),
        progress=lambda told: None,
    )
    assert ends[0] < 7.0


def test_the_same_cuts_as_pyscenedetect_by_itself(tmp_path: Path) -> None:
    from scenedetect import ContentDetector, detect

    rng = np.random.default_rng(5)
    shots = [rng.integers(0, 256, (24, 32, 3), dtype=np.uint8) for _ in range(6)]
    lengths = [40, 31, 55, 28, 64, 37]

    def picture(index: int) -> np.ndarray:
        for number, length in enumerate(lengths):
            if index < length:
                return np.roll(np.kron(shots[number], np.ones((12, 12, 1), np.uint8)), index * 2, axis=1)
            index -= length
        raise AssertionError

    clip = clips.write(tmp_path / "a.mp4", picture, size=(384, 288), frames=sum(lengths))
    theirs = detect(str(clip), ContentDetector(threshold=30.0, min_scene_len=1.0), start_in_scene=True)
    ours, _, _ = scenes(clip)
    assert [row["start_time"] for row in ours] == pytest.approx(
        [begin.seconds for begin, _ in theirs], abs=1e-3
    )
    assert len(ours) == 6


@pytest.mark.parametrize(
    "config", [{"threshold": -1}, {"threshold": 101}, {"detector": "magic"}, {"min_scene_length": "long"}]
)
def test_configurations_out_of_range(tmp_path: Path, config: dict[str, Any]) -> None:
    with pytest.raises(TaskError) as caught:
        SceneDetection.configured(config, ModelStore(tmp_path))
    assert caught.value.category == "validation"
    assert next(iter(config)) in caught.value.message


@pytest.mark.models
def test_a_real_cut(fetched: Callable[..., ModelStore]) -> None:
    store = fetched("noface-face")
    rows, _, _ = scenes(store.path("noface-face"), store=store)
    assert [row["start_time"] for row in rows] == [0.0, pytest.approx(3.945, abs=0.01)]
    assert rows[-1]["end_time"] == pytest.approx(6.38, abs=0.02)


@pytest.mark.models
def test_transnet_finds_a_real_cut_and_a_dissolve(fetched: Callable[..., ModelStore], tmp_path: Path) -> None:
    pytest.importorskip("torch")
    store = fetched("transnetv2", "noface-face")
    # A hundred frames, two windows of the network: a real cut, then a dissolve to another picture.
    real = frames_around(store.path("noface-face"), 3.945, 45)
    rng = np.random.default_rng(5)
    other = np.kron(rng.integers(0, 256, (9, 16, 3)), np.ones((20, 20, 1)))

    def picture(index: int) -> np.ndarray:
        share = min(max((index - 55) / 15, 0.0), 1.0)
        return (real[min(index, 44)] * (1 - share) + other * share).astype(np.uint8)

    clip = clips.write(tmp_path / "d.mp4", picture, size=(320, 180), frames=100)
    config = {"min_scene_length": 0.5}
    rows, _, _ = scenes(clip, {"detector": "transnetv2", **config}, store)
    assert len(rows) == 3
    assert rows[1]["frame_start"] == pytest.approx(22, abs=1)
    assert 55 <= rows[2]["frame_start"] <= 75
    assert all(0 < row["score"] <= 1 for row in rows)
    by_content, _, _ = scenes(clip, config, store)
    assert [row["frame_start"] for row in by_content] == [0, rows[1]["frame_start"]], "it sees no dissolve"


def frames_around(path: Path, cut: float, count: int) -> np.ndarray:
    """Some frames, RGB, 320x180, 25 a second, the first after the cut in the middle."""
    request = FrameRequest(Sampling.per_second(25), size=(320, 180), colour="rgb")
    with open_frames(path, request) as source:
        batches = list(source)
    pixels = np.concatenate([batch.pixels for batch in batches])
    times = np.concatenate([batch.timestamps for batch in batches])
    middle = int(np.searchsorted(times, cut - 0.005))
    return pixels[middle - count // 2 : middle - count // 2 + count]


def test_adaptive_passes_over_what_moves_all_the_time(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    fast, calm = (rng.integers(0, 256, (6, 8, 3), dtype=np.uint8) for _ in range(2))

    def picture(index: int) -> np.ndarray:
        if index >= 50:
            return np.kron(calm, np.ones((20, 20, 1), np.uint8))
        return np.kron(np.roll(fast, index, axis=1), np.ones((20, 20, 1), np.uint8))

    clip = clips.write(tmp_path / "a.mp4", picture, size=(160, 120), frames=100)
    config = {"min_scene_length": 0.0}
    assert len(scenes(clip, config)[0]) > 3, "each frame differs much from the one before"
    cuts = clips.write(
        tmp_path / "b.mp4", clips.flat(160, 120, [RED, GREEN], 50), size=(160, 120), frames=100
    )
    adaptive = {"detector": "adaptive", **config}
    assert len(scenes(clip, adaptive)[0]) == 1
    assert ranges(scenes(cuts, adaptive)[0]) == [(0.0, 2.0), (2.0, 4.0)]


def test_exports_are_the_same_scenes(tmp_path: Path) -> None:
    pipeline = SceneDetection.configured(
        {"exports": ["csv", "webvtt", "elan", "csv"]}, ModelStore(tmp_path, fetch=False)
    )
    clip = clips.write(tmp_path / "a.mp4", clips.numbered(64, 48), frames=5)
    summary = run(pipeline, clip, emit=lambda *_: None, progress=lambda told: None)
    assert [artefact.suffix.rpartition(".")[2] for artefact in summary.artefacts] == [
        "json", "csv", "vtt", "eaf",
    ]  # fmt: skip
