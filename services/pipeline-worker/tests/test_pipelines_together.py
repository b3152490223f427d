"""Several pipelines over one file: one decode, the same rows as alone, and each with its own end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import pytest
import worker_clips as clips

from frameloom.common.pipelines import ArtefactSpec, Item, MediaInfo, PipelineInfo, Progress
from frameloom.worker.errors import TaskError
from frameloom.worker.frames import FrameBatch, FrameRequest, Sampling
from frameloom.worker.models import ModelStore
from frameloom.worker.pipelines import FramePipeline, PipelineConfig, RunSummary, SoundPipeline, run
from frameloom.worker.pipelines.parts import Part
from frameloom.worker.pipelines.runner import run_together
from frameloom.worker.sound import SoundBlock, SoundRequest


def info(name: str) -> PipelineInfo:
    return PipelineInfo(
        name=name, version="1", display_name=name, description=name, pipeline_family="test", variant=name
    )


class LookConfig(PipelineConfig):
    pps: float = 5.0
    batch: int = 4
    breaks_at: float = 1e9
    not_even_begin: bool = False


class Look(FramePipeline):
    Config = LookConfig
    config: LookConfig
    info: ClassVar[PipelineInfo] = info("look")

    def begin(self, media: MediaInfo) -> None:
        super().begin(media)
        if self.config.not_even_begin:
            raise TaskError("validation", "not this one")

    def request(self, media: MediaInfo) -> FrameRequest:
        return FrameRequest(Sampling.per_second(self.config.pps), batch_size=self.config.batch)

    def process(self, batch: FrameBatch) -> Iterator[Item]:
        for pixels, time in zip(batch.pixels, batch.timestamps, strict=True):
            if time >= self.config.breaks_at:
                raise ZeroDivisionError("at this frame")
            yield Item(list="rows", row={"t": float(time), "frame": clips.index_of(pixels)})

    def artefacts(self) -> tuple[ArtefactSpec, ...]:
        return (ArtefactSpec(suffix="_look.json", lists=("rows",), counted="rows"),)


class ListenConfig(PipelineConfig):
    block: float = 0.5
    rate: int = 16_000


class Listen(SoundPipeline):
    Config = ListenConfig
    config: ListenConfig
    info: ClassVar[PipelineInfo] = info("listen")

    def request(self, media: MediaInfo) -> SoundRequest:
        return SoundRequest(self.config.rate, self.config.block)

    def process(self, block: SoundBlock) -> Iterator[Item]:
        power = float((block.samples.astype(float) ** 2).sum())
        yield Item(list="rows", row={"t": block.start_seconds, "n": len(block), "power": round(power, 6)})

    def artefacts(self) -> tuple[ArtefactSpec, ...]:
        return (ArtefactSpec(suffix="_listen.json", lists=("rows",), counted="rows"),)


class Heard:
    """A listener that keeps what it is told."""

    def __init__(self, leaves_after: int = 10**9) -> None:
        self.rows: list[dict[str, object]] = []
        self.summary: RunSummary | None = None
        self.error: Exception | None = None
        self.stages: list[str] = []
        self._left = leaves_after

    def emit(self, items: Sequence[Item], start: float, end: float) -> None:
        self.rows.extend(item.row for item in items)

    def progress(self, progress: Progress) -> None:
        self.stages.append(progress.stage)

    def done(self, summary: RunSummary) -> None:
        self.summary = summary

    def failed(self, error: Exception) -> None:
        self.error = error

    def wanted(self) -> bool:
        return len(self.rows) < self._left


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models", fetch=False)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return clips.write(tmp_path / "a.mp4", clips.numbered(64, 48), frames=75, sound_seconds=3)


def alone(pipeline: Look | Listen, clip: Path) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    run(pipeline, clip, emit=lambda i, s, e: rows.extend(x.row for x in i), progress=lambda told: None)
    return rows


def test_each_finds_what_it_finds_alone_from_one_decode(clip: Path, store: ModelStore) -> None:
    makers = [
        lambda: Look.configured({"pps": 25, "batch": 7}, store),
        lambda: Look.configured({"pps": 5}, store),
        lambda: Listen.configured({"block": 0.5}, store),
        lambda: Listen.configured({"block": 0.7}, store),
        lambda: Listen.configured({"rate": 8000}, store),
    ]
    heard = [Heard() for _ in makers]
    run_together([Part(make(), listener) for make, listener in zip(makers, heard, strict=True)], clip)
    assert [listener.error for listener in heard] == [None] * 5
    for make, listener in zip(makers, heard, strict=True):
        assert listener.rows
        assert listener.rows == alone(make(), clip)
        assert listener.stages[:2] == ["probing", "loading"]
        assert listener.stages[-1] == "finishing"
    summaries = [listener.summary for listener in heard if listener.summary]
    assert [(s.frames, s.frames_decoded) for s in summaries[:2]] == [(75, 75), (15, 75)]
    assert {s.artefacts[0].suffix for s in summaries} == {"_look.json", "_listen.json"}


def test_one_that_breaks_leaves_the_others_alone(clip: Path, store: ModelStore) -> None:
    broken, never, well, deaf = Heard(), Heard(), Heard(), Heard()
    parts = [
        Part(Look.configured({"breaks_at": 1.0}, store), broken),
        Part(Look.configured({"not_even_begin": True}, store), never),
        Part(Look.configured({}, store), well),
        Part(Listen.configured({}, store), deaf),
    ]
    run_together(parts, clip)
    assert isinstance(broken.error, ZeroDivisionError)
    assert 0 < len(broken.rows) < len(well.rows)
    assert isinstance(never.error, TaskError)
    assert never.rows == []
    assert len(well.rows) == 15
    assert well.summary is not None
    assert deaf.summary is not None
    assert broken.summary is never.summary is None


def test_one_that_is_not_wanted_any_more_stops_and_says_nothing(clip: Path, store: ModelStore) -> None:
    left, stays = Heard(leaves_after=4), Heard()
    run_together([Part(Look.configured({}, store), left), Part(Look.configured({}, store), stays)], clip)
    assert len(left.rows) == 4
    assert left.summary is left.error is None
    assert len(stays.rows) == 15


def test_when_nobody_is_left_the_decoder_stops(tmp_path: Path, store: ModelStore) -> None:
    clip = clips.write(tmp_path / "long.mp4", clips.numbered(64, 48), frames=2000, gop=50)
    seen = Heard(leaves_after=1)
    part = Part(Look.configured({"pps": 25, "batch": 1}, store), seen)
    run_together([part], clip)
    assert len(seen.rows) == 1


def test_a_file_without_sound_fails_those_that_listen_only(tmp_path: Path, store: ModelStore) -> None:
    silent = clips.write(tmp_path / "a.mp4", clips.numbered(64, 48), frames=25)
    look, listen = Heard(), Heard()
    run_together([Part(Look.configured({}, store), look), Part(Listen.configured({}, store), listen)], silent)
    assert look.summary is not None
    assert isinstance(listen.error, TaskError)
    assert "sound" in str(listen.error)


def test_a_file_that_breaks_off_fails_all_of_its_pass(tmp_path: Path, store: ModelStore) -> None:
    whole = clips.write(
        tmp_path / "a.mp4", clips.numbered(64, 48), frames=200, options={"movflags": "faststart"}, gop=5
    )
    half = clips.truncate(whole, tmp_path / "b.mp4", 0.8)
    heard = [Heard(), Heard()]
    run_together([Part(Look.configured({"batch": 1}, store), one) for one in heard], half)
    for one in heard:
        assert one.rows, "what could be read was delivered before"
        assert "stops being readable" in str(one.error)
