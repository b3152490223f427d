"""Odd pictures, whatever their codec, depth and shape: frames at the right times, or a sentence why not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import worker_clips as clips

from frameloom.worker.errors import TaskError
from frameloom.worker.frames import FrameBatch, FrameRequest, Sampling, open_frames
from frameloom.worker.media.probe import probe

SAMPLINGS = {
    "every": (Sampling.every_frame(), list(range(50))),
    "rate": (Sampling.per_second(5), list(range(0, 50, 5))),
    "sparse": (Sampling.per_second(0.4), [0]),
    "key": (Sampling.key_frames(), None),
}
CODECS = [
    ("a.mp4", "libsvtav1", "", {"preset": "12"}),
    ("a.webm", "libsvtav1", "", {"preset": "12"}),
    ("b.mp4", "libvpx-vp9", "", {}),
    ("c.webm", "libvpx", "", {}),
    ("d.mov", "mjpeg", "", {}),
    ("d.avi", "mjpeg", "", {}),
    ("e.mp4", "mpeg4", "", {}),
    ("f.mp4", "libx264", "yuv420p10le", {}),
    ("f.mkv", "libx264", "yuv422p", {}),
    ("g.mp4", "libx265", "yuv420p10le", {"x265-params": "log-level=none"}),
    ("h.mov", "prores_ks", "yuv422p10le", {}),
]


def read(path: Path, sampling: Sampling) -> FrameBatch:
    with open_frames(path, FrameRequest(sampling, batch_size=64)) as source:
        batches = list(source)
    return FrameBatch(
        np.concatenate([batch.pixels for batch in batches]),
        np.concatenate([batch.timestamps for batch in batches]),
        np.concatenate([batch.frame_numbers for batch in batches]),
    )


@pytest.mark.parametrize(("name", "codec", "depth", "options"), CODECS, ids=str)
def test_frames_of_every_codec_tell_their_own_number_and_time(
    tmp_path: Path, name: str, codec: str, depth: str, options: dict[str, str]
) -> None:
    clip = clips.write(
        tmp_path / name, clips.numbered(64, 48), codec=codec, pixel_format=depth, options=options
    )
    for sampling, expected in SAMPLINGS.values():
        got = read(clip, sampling)
        numbers = [clips.index_of(pixels) for pixels in got.pixels]
        assert got.frame_numbers.tolist() == numbers
        assert got.timestamps == pytest.approx(np.array(numbers) / 25, abs=2e-3)
        if expected is not None:
            assert numbers == expected
        else:
            assert {0, 10, 20, 30, 40} <= {number - number % 10 for number in numbers}, (
                "a key frame per group"
            )


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "webm"])
def test_a_variable_rate_in_every_container_that_knows_it(tmp_path: Path, suffix: str) -> None:
    times = [0, 33, 67, 400, 1400, 1420, 1440, 3000]
    codec = "libvpx-vp9" if suffix == "webm" else "libx264"
    clip = clips.write(
        tmp_path / f"a.{suffix}", clips.numbered(64, 48), times_ms=times, codec=codec, options={}
    )
    got = read(clip, Sampling.every_frame())
    assert got.timestamps * 1000 == pytest.approx(times, abs=1)
    assert [clips.index_of(pixels) for pixels in got.pixels] == got.frame_numbers.tolist() == list(range(8))
    sampled = read(clip, Sampling.per_second(1))
    assert sampled.frame_numbers.tolist() == [0, 4, 7]


@pytest.mark.parametrize("sound_seconds", [0.0, 1.0])
def test_with_and_without_sound_the_times_are_the_same(tmp_path: Path, sound_seconds: float) -> None:
    clip = clips.write(tmp_path / "a.mp4", clips.numbered(64, 48), frames=25, sound_seconds=sound_seconds)
    assert probe(clip).has_audio is bool(sound_seconds)
    assert read(clip, Sampling.every_frame()).timestamps == pytest.approx(np.arange(25) / 25, abs=1e-3)


def test_sound_alone_has_no_frames(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="only sound"):
        open_frames(clips.write_sound_only(tmp_path / "a.mp4"), FrameRequest(Sampling.every_frame()))


def test_four_k_comes_whole_and_small(tmp_path: Path) -> None:
    size = (3840, 2160)

    def picture(index: int) -> np.ndarray:
        return np.full((2160, 3840, 3), 30 + 60 * index, np.uint8)

    clip = clips.write(tmp_path / "a.mp4", picture, size=size, frames=4)
    with open_frames(clip, FrameRequest(Sampling.every_frame(), batch_size=64)) as source:
        batches = list(source)
    assert [len(batch) for batch in batches] == [2, 2], "no more than 64 MiB at once"
    assert batches[0].pixels.shape == (2, 2160, 3840, 3)
    (small,) = open_frames(clip, FrameRequest(Sampling.every_frame(), size=(320, 180)))
    assert [round((pixels.mean() - 30) / 60) for pixels in small.pixels] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.webm", "libvpx-vp9"),
        ("b.webm", "libsvtav1"),
        ("c.avi", "mjpeg"),
        ("d.avi", "mpeg4"),
    ],
)
def test_half_a_file_is_no_whole_one(tmp_path: Path, name: str, codec: str) -> None:
    noise = np.random.default_rng(3).integers(0, 256, (8, 96, 128, 3), dtype=np.uint8)
    whole = clips.write(tmp_path / name, lambda i: noise[i % 8], size=(128, 96), frames=75, codec=codec)
    assert len(read(whole, Sampling.every_frame()).timestamps) == 75
    half = clips.truncate(whole, tmp_path / f"half-{name}", 0.5)
    for sampling, _ in SAMPLINGS.values():
        seen: list[FrameBatch] = []
        with pytest.raises(TaskError) as caught:
            seen.extend(open_frames(half, FrameRequest(sampling, batch_size=1)))
        assert caught.value.category == "decode_error"
        assert "of 3.0 s" in caught.value.message
        assert seen


def test_half_a_transport_stream_ends_where_it_ends(tmp_path: Path) -> None:
    """It says nowhere how long it is, so nobody can know that there was more; what there is has its times."""
    noise = np.random.default_rng(3).integers(0, 256, (8, 96, 128, 3), dtype=np.uint8)
    whole = clips.write(tmp_path / "a.ts", lambda i: noise[i % 8], size=(128, 96), frames=75)
    got = read(clips.truncate(whole, tmp_path / "half.ts", 0.5), Sampling.every_frame())
    assert 25 < len(got) < 50
    assert got.timestamps == pytest.approx(np.arange(len(got)) / 25, abs=1e-3)
