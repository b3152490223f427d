"""How a picture is: on clips whose faults were put in on purpose."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import worker_clips as clips

from frameloom.common.pipelines import Item
from frameloom.worker.errors import TaskError
from frameloom.worker.models import ModelStore
from frameloom.worker.pipelines import run
from frameloom.worker.pipelines.parts import RunSummary
from frameloom.worker.pipelines.qualities.measures import Gauge
from frameloom.worker.pipelines.qualities.states import Finding, Findings
from frameloom.worker.pipelines.video_quality import VideoQuality

Lists = dict[str, list[dict[str, Any]]]
RNG = np.random.default_rng(11)
SHOTS = [
    cv2.resize(
        RNG.integers(40, 216, (24, 32, 3), dtype=np.uint8), (320, 240), interpolation=cv2.INTER_NEAREST
    )
    for _ in range(2)
]


def measured(clip: Path, config: dict[str, Any] | None = None) -> tuple[Lists, RunSummary]:
    items: list[Item] = []
    summary = run(
        VideoQuality.configured(config or {}, ModelStore(clip.parent / "models", fetch=False)),
        clip,
        emit=lambda rows, start, end: items.extend(rows),
        progress=lambda told: None,
    )
    names = ("seconds", "shots", "findings")
    return {name: [item.row for item in items if item.list == name] for name in names}, summary


def faulty(index: int) -> np.ndarray:
    """Two shots that move; then two seconds each of black, of standing still, of blur, of white."""
    moving = np.roll(SHOTS[index // 50 % 2], index, axis=1)
    second = index // 25
    if second < 4:
        return moving
    if second < 6:
        return np.zeros_like(moving)
    if second < 8:
        return SHOTS[0]
    if second < 10:
        return cv2.GaussianBlur(moving, (0, 0), 12)
    return np.full_like(moving, 250)


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("quality") / "faults.mp4"
    return clips.write(path, faulty, size=(320, 240), frames=300)


def test_black_frozen_blurred_and_white_stretches_are_found(faults: Path) -> None:
    lists, _ = measured(faults)
    found = {(row["kind"], row["start"], row["end"]) for row in lists["findings"]}
    near = {(kind, round(start), round(end)) for kind, start, end in found}
    assert ("black", 4, 6) in near
    assert ("blurred", 8, 10) in near
    assert ("overexposed", 10, 12) in near
    assert {kind for kind, *_ in found} <= {"black", "frozen", "blurred", "overexposed"}
    frozen = [(start, end) for kind, start, end in found if kind == "frozen"]
    for begin, end in ((4, 6), (6, 8), (10, 12)):
        assert any(a <= begin + 0.3 and b >= end - 0.3 for a, b in frozen), (begin, frozen)
    assert not any(a < 4 and b > 0 for a, b in frozen), "what moves is not frozen"
    assert [row["id"] for row in lists["findings"]] == list(range(1, len(found) + 1))


def test_every_second_has_its_figures(faults: Path) -> None:
    lists, summary = measured(faults)
    seconds = lists["seconds"]
    assert [(row["start"], row["end"]) for row in seconds] == [(float(i), float(i + 1)) for i in range(12)]
    assert all(row["samples"] == 10 for row in seconds)
    assert [row["black_share"] for row in seconds] == [0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0]
    sharp, black, still, blurred, white = (seconds[i] for i in (1, 5, 7, 9, 11))
    assert sharp["sharpness"] > 50 * blurred["sharpness"]
    assert sharp["motion"] > 0.02 > blurred["motion"] >= 0
    assert still["motion"] == pytest.approx(0, abs=0.002)
    assert black["brightness"] < 2
    assert white["bright_share"] == pytest.approx(1)
    assert sharp["contrast"] > 20
    assert seconds[2]["cuts"] == 1
    assert summary.artefacts[0].head["summary"]["samples"] == 120
    json.dumps(lists)


def test_a_cut_is_no_motion_and_shots_have_their_own_figures(faults: Path) -> None:
    lists, _ = measured(faults)
    shots = lists["shots"]
    assert [(row["start"], row["end"]) for row in shots[:2]] == [(0.0, 2.0), (2.0, 4.0)]
    assert (shots[1]["frame_start"], shots[1]["frame_end"]) == (50, 100)
    assert shots[-1]["end"] == 12.0
    assert all(a["end"] == b["start"] for a, b in pairwise(shots))
    across_the_cut = measured(faults, {"cut_threshold": 255})[0]
    assert len(across_the_cut["shots"]) == 1
    assert across_the_cut["seconds"][2]["motion_most"] > 1.5 * lists["seconds"][2]["motion_most"]


def test_without_shots_only_the_measured_frames_are_looked_at(faults: Path) -> None:
    lists, summary = measured(faults, {"shots": False, "pps": 2, "exports": ["csv", "parquet"]})
    assert summary.frames == 24
    assert lists["shots"] == []
    assert all(row["samples"] == 2 for row in lists["seconds"])
    assert [artefact.suffix for artefact in summary.artefacts] == [
        "_video_quality.json",
        "_video_quality_seconds.csv",
        "_video_quality_seconds.parquet",
    ]


def test_one_frame_and_seconds_without_any(tmp_path: Path) -> None:
    lists, _ = measured(clips.write(tmp_path / "one.mp4", clips.numbered(64, 48), frames=1))
    assert [row["samples"] for row in lists["seconds"]] == [1]
    assert lists["seconds"][0]["motion"] is None
    assert len(lists["shots"]) == 1
    times = [0, 100, 4000, 4100]
    lists, _ = measured(clips.write(tmp_path / "vfr.mp4", clips.numbered(64, 48), times_ms=times))
    assert [row["start"] for row in lists["seconds"]] == [0.0, 4.0]


def test_sharpness_falls_with_blur_and_motion_rises_with_speed() -> None:
    def sharpness(sigma: float) -> float:
        picture = cv2.GaussianBlur(SHOTS[0], (0, 0), sigma) if sigma else SHOTS[0]
        return Gauge().measure(picture, 0.0, after_cut=False).sharpness

    assert sharpness(0) > sharpness(1) > sharpness(3) > sharpness(9)

    def motion(step: int) -> float:
        gauge = Gauge()
        gauge.measure(SHOTS[0], 0.0, after_cut=False)
        found = gauge.measure(np.roll(SHOTS[0], step, axis=1), 0.1, after_cut=False).motion
        assert found is not None
        return found

    assert motion(0) == 0.0
    assert motion(1) < motion(3) < motion(8)


def test_stretches_are_joined_and_short_ones_left_out() -> None:
    findings = Findings(0.3)
    states = ["", "b", "b", "b", "b", "", "b", "", "f", "f", "f"]
    kinds = {"": (), "b": ("black",), "f": ("frozen",)}
    found = [one for i, state in enumerate(states) for one in findings.see(i / 10, kinds[state])]
    assert found == [Finding("black", 0.1, 0.5)]
    # The first of three equal pictures is the one before.
    assert list(findings.finish(1.1)) == [Finding("frozen", 0.7, 1.1)]


@pytest.mark.parametrize(
    "config", [{"pps": 0}, {"analysis_size": 10}, {"exports": ["xls"]}, {"shots": "maybe"}]
)
def test_configurations_out_of_range(tmp_path: Path, config: dict[str, Any]) -> None:
    with pytest.raises(TaskError) as caught:
        VideoQuality.configured(config, ModelStore(tmp_path, fetch=False))
    assert caught.value.category == "validation"
    assert next(iter(config)) in caught.value.message
