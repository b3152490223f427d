from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import pytest
import worker_clips as clips
from pydantic import Field

from frameloom.common.pipelines import ArtefactSpec, Item, MediaInfo, PipelineInfo, Progress
from frameloom.worker.errors import TaskError
from frameloom.worker.frames import FrameBatch, FrameRequest, Sampling
from frameloom.worker.models import ModelStore
from frameloom.worker.models.catalogue import YUNET
from frameloom.worker.pipelines import FramePipeline, PipelineConfig, load_pipelines, run
from frameloom.worker.pipelines.registry import offer
from frameloom.worker.pipelines.scene_detection import SceneDetection


class BrightnessConfig(PipelineConfig):
    pps: float = Field(25.0, gt=0, le=100)


class Brightness(FramePipeline):
    """As small as a pipeline can be: the one of the documentation."""

    Config = BrightnessConfig
    config: BrightnessConfig
    info: ClassVar[PipelineInfo] = PipelineInfo(
        name="brightness",
        version="1",
        display_name="B",
        description="d",
        pipeline_family="light",
        variant="mean",
    )

    def request(self, media: MediaInfo) -> FrameRequest:
        return FrameRequest(Sampling.per_second(self.config.pps), size=(16, 16), batch_size=10)

    def process(self, batch: FrameBatch) -> Iterator[Item]:
        for pixels, time in zip(batch.pixels, batch.timestamps, strict=True):
            if time >= 1.0:
                yield Item(list="rows", row={"v": self.video_id, "t": float(time), "b": float(pixels.mean())})

    def finish(self) -> Iterator[Item]:
        yield Item(list="rows", row={"end": self.media.duration_seconds})

    def artefacts(self) -> tuple[ArtefactSpec, ...]:
        return (ArtefactSpec(suffix="_b.json", lists=("rows",), counted="rows"),)


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models", fetch=False)


def test_rows_come_with_ranges_that_do_not_overlap(tmp_path: Path, store: ModelStore) -> None:
    clip = clips.write(tmp_path / "clip.one.mp4", clips.numbered(64, 48))
    chunks: list[tuple[list[Item], float, float]] = []
    told: list[Progress] = []
    summary = run(
        Brightness.configured({}, store),
        clip,
        emit=lambda items, start, end: chunks.append((list(items), start, end)),
        progress=told.append,
    )
    assert (summary.frames, summary.media_seconds) == (50, 2.0)
    assert summary.backend.startswith("pyav ")
    assert summary.artefacts[0].suffix == "_b.json"
    assert all(items for items, _, _ in chunks), "nothing is emitted where there is nothing"
    assert chunks[0][1] >= 0.7, "the first two batches gave no rows"
    for (_, _, end), (_, start, _) in pairwise(chunks):
        assert start >= end
    assert chunks[-1][2] == pytest.approx(2.0)
    rows = [item.row for items, _, _ in chunks for item in items]
    assert rows[0]["v"] == "clip.one"
    assert rows[-1] == {"end": 2.0}
    assert [p.stage for p in told][:2] == ["probing", "loading"]
    assert told[-1].stage == "finishing"
    fractions = [p.fraction for p in told]
    assert fractions == sorted(fractions)


def test_the_video_can_be_named(tmp_path: Path, store: ModelStore) -> None:
    clip = clips.write(tmp_path / "sha.mp4", clips.numbered(64, 48))
    rows: list[Item] = []
    run(
        Brightness.configured({"pps": 2}, store),
        clip,
        emit=lambda items, start, end: rows.extend(items),
        progress=lambda told: None,
        video_id="holiday",
    )
    assert rows[0].row["v"] == "holiday"


def test_a_configuration_out_of_range_is_named(store: ModelStore) -> None:
    with pytest.raises(TaskError) as caught:
        Brightness.configured({"pps": 0}, store)
    assert caught.value.category == "validation"
    assert "pps" in caught.value.message
    assert Brightness.configured({"pps": 2, "unknown": 1}, store).config == BrightnessConfig(pps=2)


def test_what_a_broken_video_gave_before_is_delivered(tmp_path: Path, store: ModelStore) -> None:
    whole = clips.write(
        tmp_path / "a.mp4", clips.numbered(64, 48), frames=200, options={"movflags": "faststart"}, gop=5
    )
    rows: list[Item] = []
    with pytest.raises(TaskError, match="stops being readable"):
        run(
            Brightness.configured({}, store),
            clips.truncate(whole, tmp_path / "b.mp4", 0.8),
            emit=lambda items, start, end: rows.extend(items),
            progress=lambda told: None,
        )
    assert rows
    assert "end" not in rows[-1].row


def test_availability_tells_why(store: ModelStore) -> None:
    assert Brightness.available(store) == (True, None)

    class Wanting(Brightness):
        required_modules = ("no_such_module_here",)

    class Starved(Brightness):
        required_models = ("yunet",)

    class Confused(Brightness):
        required_models = ("never-heard-of",)

    class Bringing(Brightness):
        own_models = (replace(YUNET, name="mine"),)
        required_models = ("mine",)

    class Clashing(Brightness):
        own_models = (replace(YUNET, sha256="0" * 64),)

    assert "never-heard-of" in str(Confused.available(store)[1])
    assert "another file" in str(Clashing.available(store)[1])
    assert Bringing.available(ModelStore(store.directory)) == (True, None)

    assert Wanting.available(store) == (
        False,
        "The Python module no_such_module_here is not installed on the worker.",
    )
    usable, reason = Starved.available(store)
    assert not usable
    assert reason is not None
    assert "yunet" in reason
    assert Starved.available(ModelStore(store.directory)) == (True, None), "it may be fetched when needed"


def test_the_built_in_ones_are_found_by_entry_points() -> None:
    found = load_pipelines()
    assert {"face_analysis", "scene_detection"} <= set(found)
    assert list(found) == sorted(found)
    for pipeline in found.values():
        assert pipeline.info.config_schema == pipeline.Config.model_json_schema()


def test_plug_ins_by_name_and_broken_ones_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "plug_good.py").write_text(
        "from frameloom.worker.pipelines.scene_detection import SceneDetection\n"
        "class Mine(SceneDetection):\n"
        "    info = SceneDetection.info.model_copy(update={'name': 'mine'})\n"
        "class Hollow:\n"
        "    pass\n"
    )
    (tmp_path / "plug_bad.py").write_text("raise RuntimeError('broken at import')\n")
    monkeypatch.syspath_prepend(tmp_path)
    found = load_pipelines(
        ["plug_good:Mine", "plug_bad:X", "plug_good:Hollow", "plug_good:Nothing", "plug_absent:X", "no colon"]
    )
    assert {"mine", "scene_detection"} <= set(found)
    assert found["mine"].__name__ == "Mine"
    for name in ("plug_bad:X", "plug_good:Hollow", "plug_good:Nothing", "plug_absent:X", "no colon"):
        offered = offer(found[name], ModelStore(tmp_path))
        assert not offered.available
        assert name in str(offered.reason)


def test_a_plug_in_that_throws_when_asked_is_switched_off(tmp_path: Path) -> None:
    class Touchy(SceneDetection):
        @classmethod
        def available(cls, models: ModelStore) -> tuple[bool, str | None]:
            raise RuntimeError("no such file (/srv/secret/place)")

    offered = offer(Touchy, ModelStore(tmp_path))
    assert not offered.available
    assert offered.reason == (
        "The plug-in failed when it was asked whether it can run: RuntimeError: no such file."
    )


def test_listing_pipelines_imports_no_heavy_library() -> None:
    code = (
        "import sys; from frameloom.worker.pipelines import load_pipelines; load_pipelines(); "
        "print([name for name in ('cv2', 'scenedetect', 'torch', 'filelock') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
