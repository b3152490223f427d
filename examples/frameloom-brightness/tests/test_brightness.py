"""The pipeline over clips made on the spot, as a worker runs it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from frameloom_brightness import Brightness

from frameloom.worker.errors import TaskError
from frameloom.worker.testing import annotate, write_clip


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Two seconds of light, two in the dark, two of light."""
    levels = [200] * 50 + [10] * 50 + [120] * 50
    return write_clip(
        tmp_path / "clip.mp4", (np.full((72, 128, 3), level, np.uint8) for level in levels), fps=25
    )


def test_brightness_and_the_dark_stretch(clip: Path) -> None:
    found = annotate(Brightness, clip, {"pps": 5})
    values = [row["value"] for row in found.rows["samples"]]
    assert len(values) == 30
    assert values[0] == pytest.approx(200, abs=4)
    assert values[-1] == pytest.approx(120, abs=4)
    (dark,) = found.rows["dark"]
    assert (dark["start"], dark["end"]) == (2.0, 4.0)
    document = found.document("_brightness.json")
    assert list(document) == ["info", "samples", "dark"]
    assert document["info"]["dark"] == 1


def test_a_video_may_end_in_the_dark(tmp_path: Path) -> None:
    night = write_clip(tmp_path / "night.mp4", [np.zeros((36, 64, 3), np.uint8)] * 50)
    (dark,) = annotate(Brightness, night).rows["dark"]
    assert (dark["start"], dark["end"]) == (0.0, 2.0)
    assert annotate(Brightness, night, {"min_seconds": 3}).rows["dark"] == []


def test_exports_are_asked_for(clip: Path) -> None:
    found = annotate(Brightness, clip, {"exports": ["webvtt", "csv"]})
    assert [spec.writer for spec in found.artefacts] == ["json", "webvtt", "csv"]


def test_settings_are_checked(clip: Path) -> None:
    with pytest.raises(TaskError, match="pps: Input should be greater than 0"):
        annotate(Brightness, clip, {"pps": 0})
