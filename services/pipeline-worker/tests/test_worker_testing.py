"""The helper for who writes pipelines finds the mistakes that a worker would only find later."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from frameloom.common.pipelines import ArtefactSpec, Item, MediaInfo, PipelineInfo
from frameloom.worker.frames import FrameBatch, FrameRequest, Sampling
from frameloom.worker.pipelines import FramePipeline, PipelineConfig, SoundPipeline
from frameloom.worker.sound import SoundBlock, SoundRequest
from frameloom.worker.testing import annotate, installed, write_clip


class Levels(FramePipeline):
    """Mean of each frame."""

    Config = PipelineConfig
    info: ClassVar[PipelineInfo] = PipelineInfo(name="levels", version="1", display_name="L", description="L")

    def request(self, media: MediaInfo) -> FrameRequest:
        return FrameRequest(Sampling.every_frame(), batch_size=4)

    def process(self, batch: FrameBatch) -> Iterable[Item]:
        for pixels, time in zip(batch.pixels, batch.timestamps, strict=True):
            yield Item(list="samples", row={"timestamp": float(time), "value": self.value(pixels)})

    def value(self, pixels) -> object:
        return float(pixels.mean())

    def artefacts(self) -> tuple[ArtefactSpec, ...]:
        return (
            ArtefactSpec(
                suffix="_levels.json", head={"unit": "8 bit"}, lists=("samples",), counted="samples"
            ),
        )


class Loudness(SoundPipeline):
    """Peak of each second."""

    Config = PipelineConfig
    info: ClassVar[PipelineInfo] = PipelineInfo(name="loud", version="1", display_name="L", description="L")

    def request(self, media: MediaInfo) -> SoundRequest:
        return SoundRequest(block_seconds=1.0)

    def process(self, block: SoundBlock) -> Iterable[Item]:
        yield Item(
            list="peaks", row={"start_time": block.start_seconds, "peak": float(abs(block.samples).max())}
        )

    def artefacts(self) -> tuple[ArtefactSpec, ...]:
        return (ArtefactSpec(suffix="_peaks.json", lists=("peaks",), counted="peaks"),)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pictures = [np.full((48, 64, 3), 20 * index, np.uint8) for index in range(10)]
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(32_000) / 16_000).astype(np.float32)
    return write_clip(tmp_path_factory.mktemp("clip") / "a.mp4", pictures, fps=10, sound=tone)


def test_a_clip_is_run_and_its_file_made(clip: Path) -> None:
    found = annotate(Levels, clip)
    assert found.frames == len(found.rows["samples"]) == 10
    assert [round(row["value"] / 20) for row in found.rows["samples"]] == list(range(10))
    document = found.document("_levels.json")
    assert document["unit"] == "8 bit"
    assert document["samples"] is not found.rows["samples"]
    with pytest.raises(AssertionError, match=r"no artefact ends in '_x\.json'; there are: _levels\.json"):
        found.document("_x.json")


def test_sound_with_and_without_a_picture(clip: Path, tmp_path: Path) -> None:
    peaks = [row["peak"] for row in annotate(Loudness, clip).rows["peaks"]]
    assert peaks[:2] == pytest.approx([0.5, 0.5], abs=0.05)
    alone = write_clip(tmp_path / "a.m4a", [], sound=np.zeros(16_000, np.float32))
    assert annotate(Loudness, alone).rows["peaks"][0]["peak"] == 0


@pytest.mark.parametrize("value", [np.float32(1), float("nan"), {1, 2}])
def test_rows_that_no_json_can_hold(clip: Path, value: object) -> None:
    class Wrong(Levels):
        def value(self, pixels) -> object:
            return value

    with pytest.raises(AssertionError, match="a row of samples has what JSON has not"):
        annotate(Wrong, clip)


def test_rows_and_files_that_do_not_meet(clip: Path) -> None:
    class Lost(Levels):
        def artefacts(self) -> tuple[ArtefactSpec, ...]:
            return (ArtefactSpec(suffix="_a.json", lists=("others",), counted="others"),)

    class Twins(Levels):
        def artefacts(self) -> tuple[ArtefactSpec, ...]:
            return super().artefacts() * 2

    with pytest.raises(AssertionError, match="rows of samples are in no artefact"):
        annotate(Lost, clip)
    with pytest.raises(AssertionError, match="two artefacts have one suffix"):
        annotate(Twins, clip)


def test_what_is_no_pipeline_and_what_is_not_installed(clip: Path) -> None:
    with pytest.raises(TypeError, match="is no subclass of FramePipeline or SoundPipeline"):
        annotate(dict, clip)
    with pytest.raises(AssertionError, match=r"no pipeline nowhere is installed; there are: .*face_analysis"):
        annotate("nowhere", clip)
    assert installed("scene_detection").info.name == "scene_detection"
