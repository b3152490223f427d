"""Sound: mono at the wanted rate, at the right time, whatever the file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import worker_clips as clips
from worker_tones import TONE_HZ, tone

from frameloom.common.pipelines import ArtefactSpec, Item, PipelineInfo
from frameloom.worker.errors import TaskError
from frameloom.worker.media.hearing import probe_sound
from frameloom.worker.models import ModelStore
from frameloom.worker.pipelines import PipelineConfig, SoundPipeline, run
from frameloom.worker.sound import SoundBlock, SoundRequest, open_sound


def heard(path: Path, request: SoundRequest | None = None) -> list[SoundBlock]:
    with open_sound(path, request or SoundRequest(block_seconds=0.5)) as source:
        return list(source)


def loud(samples: np.ndarray[Any, Any]) -> bool:
    return bool(np.sqrt(np.mean(np.square(samples))) > 0.1)


@pytest.mark.parametrize(
    ("name", "codec", "rate", "layout"),
    [
        ("a.wav", "pcm_s16le", 48_000, "mono"),
        ("a.m4a", "aac", 44_100, "stereo"),
        ("a.mp3", "libmp3lame", 44_100, "stereo"),
        ("a.flac", "flac", 96_000, "mono"),
        ("a.ogg", "libopus", 48_000, "stereo"),
        ("a.mkv", "aac", 48_000, "5.1"),
        ("a.webm", "libopus", 48_000, "stereo"),
    ],
)
def test_any_format(tmp_path: Path, name: str, codec: str, rate: int, layout: str) -> None:
    path = tone(tmp_path / name, codec, rate=rate, layout=layout, loud_from=1.0)
    blocks = heard(path)
    samples = np.concatenate([block.samples for block in blocks])
    assert samples.dtype == np.float32
    assert len(samples) / 16_000 == pytest.approx(2.0, abs=0.1)
    assert not loud(samples[: int(0.9 * 16_000)])
    assert loud(samples[int(1.1 * 16_000) :])
    spectrum = np.abs(np.fft.rfft(samples[int(1.2 * 16_000) : int(1.7 * 16_000)]))
    assert np.argmax(spectrum) * 2 == pytest.approx(TONE_HZ, abs=4)
    assert probe_sound(path).duration_seconds == pytest.approx(2.0, abs=0.1)


def test_blocks_follow_each_other(tmp_path: Path) -> None:
    blocks = heard(tone(tmp_path / "a.wav", "pcm_s16le", seconds=1.3), SoundRequest(8000, 0.25))
    assert [len(block) for block in blocks[:-1]] == [2000] * (len(blocks) - 1)
    for before, after in zip(blocks, blocks[1:], strict=False):  # noqa: RUF007
        assert after.start_seconds == pytest.approx(before.end_seconds)


def test_a_gap_is_silence(tmp_path: Path) -> None:
    path = tone(tmp_path / "a.mkv", "pcm_s16le", seconds=3.0, gap=(1.0, 2.0))
    samples = np.concatenate([block.samples for block in heard(path)])
    assert len(samples) / 16_000 == pytest.approx(3.0, abs=0.1)
    assert not loud(samples[int(1.2 * 16_000) : int(1.8 * 16_000)])
    assert loud(samples[int(2.2 * 16_000) :])


def test_a_video_without_sound(tmp_path: Path) -> None:
    clip = clips.write(tmp_path / "a.mp4", clips.numbered(64, 48))
    with pytest.raises(TaskError, match="no sound"):
        open_sound(clip, SoundRequest())
    with pytest.raises(TaskError, match="no sound"):
        probe_sound(clip)


def test_a_video_with_sound(tmp_path: Path) -> None:
    clip = clips.write(tmp_path / "a.mp4", clips.numbered(64, 48), sound_seconds=2.0)
    info = probe_sound(clip)
    assert (info.has_audio, info.has_video) == (True, True)
    assert sum(len(block) for block in heard(clip)) / 16_000 == pytest.approx(2.0, abs=0.1)


def test_a_file_that_was_cut_off(tmp_path: Path) -> None:
    whole = tone(tmp_path / "a.mkv", "pcm_s16le", seconds=20.0).read_bytes()
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(TaskError) as caught:
        heard(cut)
    assert caught.value.category == "decode_error"
    assert "cut off" in caught.value.message


class LoudnessConfig(PipelineConfig):
    pass


class Loudness(SoundPipeline):
    """As small as a pipeline that listens can be."""

    Config = LoudnessConfig
    info: ClassVar[PipelineInfo] = PipelineInfo(
        name="loudness", version="1", display_name="L", description="d", modalities=("audio",)
    )

    def process(self, block: SoundBlock) -> Iterator[Item]:
        yield Item(list="rows", row={"t": block.start_seconds, "n": len(block)})

    def artefacts(self) -> tuple[ArtefactSpec, ...]:
        return (ArtefactSpec(suffix="_l.json", lists=("rows",), counted="rows"),)


def test_a_pipeline_that_listens(tmp_path: Path) -> None:
    path = tone(tmp_path / "a.wav", "pcm_s16le", seconds=25.0, rate=16_000, layout="mono")
    rows: list[Item] = []
    stages: list[str] = []
    summary = run(
        Loudness.configured({}, ModelStore(tmp_path / "models", fetch=False)),
        path,
        emit=lambda items, start, end: rows.extend(items),
        progress=lambda progress: stages.append(progress.stage),
    )
    assert [row.row["t"] for row in rows] == [0.0, 10.0, 20.0]
    assert (summary.frames, summary.media_seconds) == (0, pytest.approx(25.0, abs=0.1))
    assert summary.backend.startswith("pyav ")
    assert stages[-1] == "finishing"
