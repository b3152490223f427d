from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import worker_clips as clips

from frameloom.worker.errors import TaskError
from frameloom.worker.frames import FrameBatch, FrameRequest, Sampling, fit, open_frames, open_shared
from frameloom.worker.frames import base as frames_base
from frameloom.worker.media.probe import probe

EVERY = Sampling.every_frame()


def read(path: Path, sampling: Sampling = EVERY, **request: object) -> FrameBatch:
    """All frames as one batch; checks what holds for every batch."""
    wanted = FrameRequest(sampling, **request)  # type: ignore[arg-type]
    batches = []
    with open_frames(path, wanted) as source:
        for batch in source:
            assert 0 < len(batch) <= wanted.batch_size
            assert batch.pixels.dtype == np.uint8
            assert batch.pixels.flags.c_contiguous
            assert not batch.pixels.flags.writeable, "others may be looking at it"
            assert batch.timestamps.dtype == np.float64
            assert batch.frame_numbers.dtype == np.int64
            batches.append(batch)
    return FrameBatch(
        np.concatenate([b.pixels for b in batches]),
        np.concatenate([b.timestamps for b in batches]),
        np.concatenate([b.frame_numbers for b in batches]),
    )


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mp4", "libx264"),
        ("a.mkv", "libx264"),
        ("a.avi", "libx264"),
        ("a.ts", "libx264"),
        ("a.webm", "libvpx-vp9"),
        ("a.mov", "libx265"),
        ("b.avi", "mpeg4"),
    ],
)
def test_every_frame_in_order_with_its_time(tmp_path: Path, name: str, codec: str) -> None:
    clip = clips.write(tmp_path / name, clips.numbered(64, 48), codec=codec)
    got = read(clip, batch_size=7)
    assert got.pixels.shape == (50, 48, 64, 3)
    assert [clips.index_of(p) for p in got.pixels] == list(range(50))
    assert got.frame_numbers.tolist() == list(range(50))
    assert got.timestamps == pytest.approx(np.arange(50) / 25, abs=1.1e-3)


def test_variable_frame_rate(tmp_path: Path) -> None:
    times = [0, 40, 80, 500, 520, 2000, 2040]
    clip = clips.write(tmp_path / "a.mp4", clips.numbered(64, 48), times_ms=times)
    got = read(clip)
    assert got.timestamps * 1000 == pytest.approx(times)
    sampled = read(clip, Sampling.per_second(2))
    assert sampled.timestamps * 1000 == pytest.approx([0, 500, 2000])
    assert sampled.frame_numbers.tolist() == [0, 3, 5]


def test_a_stream_that_starts_late_keeps_its_offset(tmp_path: Path) -> None:
    times = [400 + 40 * i for i in range(20)]
    clip = clips.write(tmp_path / "a.mkv", clips.numbered(64, 48), times_ms=times, sound_seconds=1.2)
    assert read(clip).timestamps[0] == pytest.approx(0.4, abs=0.05)


@pytest.mark.parametrize("angle", [90, -90, 180])
def test_rotated_video_comes_upright(tmp_path: Path, angle: int) -> None:
    def corner(_: int) -> np.ndarray:  # white in the stored picture's top left quarter
        picture = np.zeros((48, 64, 3), np.uint8)
        picture[:24, :32] = 255
        return picture

    clip = clips.write(tmp_path / "a.mp4", corner, frames=5, rotation=angle)
    image = read(clip).pixels[0]
    height, width = image.shape[:2]
    assert (width, height) == ((64, 48) if angle == 180 else (48, 64))
    quarters = {
        "top left": image[: height // 2, : width // 2],
        "top right": image[: height // 2, width // 2 :],
        "bottom left": image[height // 2 :, : width // 2],
        "bottom right": image[height // 2 :, width // 2 :],
    }
    brightest = max(quarters, key=lambda name: quarters[name].mean())
    # The angle is counter-clockwise, as FFmpeg counts it.
    assert brightest == {90: "bottom left", -90: "top right", 180: "bottom right"}[angle]


@pytest.mark.parametrize("size", [(63, 47), (2, 2), (130, 10)])
def test_odd_sizes(tmp_path: Path, size: tuple[int, int]) -> None:
    clip = clips.write(tmp_path / "a.mp4", clips.numbered(*size), size=size, frames=5)
    assert read(clip).pixels.shape == (5, size[1], size[0], 3)
    assert read(clip, size=(33, 17)).pixels.shape == (5, 17, 33, 3)


def test_one_frame(tmp_path: Path) -> None:
    clip = clips.write(tmp_path / "a.mp4", clips.numbered(64, 48), frames=1)
    for sampling in (EVERY, Sampling.per_second(5), Sampling.per_second(0.1), Sampling.key_frames()):
        assert read(clip, sampling).timestamps.tolist() == [0.0]


def test_colour_order(tmp_path: Path) -> None:
    clip = clips.write(tmp_path / "a.mp4", clips.flat(64, 48, [(220, 20, 20)], 5), frames=5)
    assert read(clip, colour="rgb").pixels[0].mean(axis=(0, 1)).argmax() == 0
    assert read(clip, colour="bgr").pixels[0].mean(axis=(0, 1)).argmax() == 2


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp4", "libx264"), ("a.webm", "libvpx-vp9"), ("c.mp4", "libsvtav1")],
)
def test_key_frames_only(tmp_path: Path, name: str, codec: str) -> None:
    clip = clips.write(tmp_path / name, clips.numbered(64, 48), gop=10, codec=codec)
    request = FrameRequest(Sampling.key_frames())
    with open_frames(clip, request) as source:
        batch = next(iter(source))
        assert source.frames_decoded < 25, "the rest must not even be decoded"
    assert batch.frame_numbers.tolist() == [0, 10, 20, 30, 40]
    assert [clips.index_of(p) for p in batch.pixels] == [0, 10, 20, 30, 40]


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_sparse_sampling_jumps_and_finds_the_same_frames(tmp_path: Path, suffix: str) -> None:
    clip = clips.write(tmp_path / f"a.{suffix}", clips.numbered(64, 48), frames=1000, gop=25)
    with open_frames(clip, FrameRequest(Sampling.per_second(0.1))) as source:
        batch = next(iter(source))
        decoded = source.frames_decoded
    assert batch.timestamps == pytest.approx([0, 10, 20, 30])
    assert batch.frame_numbers.tolist() == [0, 250, 500, 750]
    assert [clips.index_of(p) for p in batch.pixels] == [0, 250 % 70, 500 % 70, 750 % 70]
    assert decoded < 400, "whole groups of pictures must be skipped"


def test_batches_are_bounded_in_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = clips.write(tmp_path / "a.mp4", clips.numbered(64, 48), frames=10)
    monkeypatch.setattr("frameloom.worker.frames.batching.BATCH_BYTES_LIMIT", 64 * 48 * 3 * 4)
    assert [len(b) for b in open_frames(clip, FrameRequest(EVERY, batch_size=100))] == [4, 4, 2]


def test_a_kept_batch_is_not_overwritten(tmp_path: Path) -> None:
    clip = clips.write(tmp_path / "a.mp4", clips.numbered(64, 48), frames=12)
    batches = list(open_frames(clip, FrameRequest(EVERY, batch_size=4)))
    assert [clips.index_of(p) for b in batches for p in b.pixels] == list(range(12))


def test_one_pass_gives_each_request_what_it_would_get_alone(tmp_path: Path) -> None:
    clip = clips.write(tmp_path / "a.mp4", clips.numbered(64, 48), frames=50, gop=10)
    requests = [
        FrameRequest(EVERY, batch_size=7),
        FrameRequest(Sampling.per_second(5), size=(32, 24), batch_size=3, scaling="area"),
        FrameRequest(EVERY, size=(32, 24), batch_size=16, scaling="area"),
        FrameRequest(Sampling.key_frames(), colour="rgb"),
        FrameRequest(EVERY, batch_size=7),
    ]
    together: list[list[FrameBatch]] = [[] for _ in requests]
    with open_shared(clip, requests) as shared:
        for delivery in shared:
            for place in delivery.places:
                together[place].append(delivery.batch)
        assert shared.frames_decoded == 50, "decoded once"
    assert all(a is b for a, b in zip(together[0], together[4], strict=True)), "equal requests share batches"
    for request, got in zip(requests, together, strict=True):
        alone = list(open_frames(clip, request))
        assert [len(b) for b in got] == [len(b) for b in alone]
        for ours, theirs in zip(got, alone, strict=True):
            np.testing.assert_array_equal(ours.pixels, theirs.pixels)
            np.testing.assert_array_equal(ours.timestamps, theirs.timestamps)
            np.testing.assert_array_equal(ours.frame_numbers, theirs.frame_numbers)


def test_requests_that_all_skip_skip_together(tmp_path: Path) -> None:
    clip = clips.write(tmp_path / "a.mp4", clips.numbered(64, 48), frames=50, gop=10)
    keys = [FrameRequest(Sampling.key_frames()), FrameRequest(Sampling.key_frames(), size=(32, 24))]
    with open_shared(clip, keys) as shared:
        assert sum(len(delivery.batch) for delivery in shared) == 10
        assert shared.frames_decoded < 15, "a group of pictures at the start, then key frames"
    with pytest.raises(ValueError, match="at least one"):
        open_shared(clip, [])


def grainy(path: Path, **options: object) -> Path:
    """A clip whose bytes are spread evenly over its length."""
    noise = np.random.default_rng(3).integers(0, 256, (8, 96, 128, 3), dtype=np.uint8)
    return clips.write(path, lambda i: noise[i % 8], size=(128, 96), frames=75, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "sampling", [EVERY, Sampling.per_second(5), Sampling.per_second(0.4), Sampling.key_frames()]
)
@pytest.mark.parametrize(
    ("name", "options"), [("a.mp4", {"movflags": "faststart"}), ("a.mkv", {})], ids=["mp4", "mkv"]
)
def test_a_video_cut_in_half_tells_how_far_it_goes(
    tmp_path: Path, name: str, options: dict[str, str], sampling: Sampling
) -> None:
    half = clips.truncate(grainy(tmp_path / name, options=options), tmp_path / f"half-{name}", 0.5)
    seen: list[FrameBatch] = []
    with pytest.raises(TaskError) as caught:
        seen.extend(open_frames(half, FrameRequest(sampling, batch_size=1)))
    assert caught.value.category == "decode_error"
    assert "stops being readable at 1." in caught.value.message
    assert "of 3.0 s" in caught.value.message
    assert seen, "what could be read was delivered before"


def test_a_few_damaged_bytes_are_survived(tmp_path: Path) -> None:
    clip = grainy(tmp_path / "a.mkv")
    content = bytearray(clip.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 40] = b"\x00" * 40
    clip.write_bytes(bytes(content))
    got = read(clip)
    assert len(got) > 60
    assert got.timestamps[-1] == pytest.approx(74 / 25, abs=0.01)


def test_sound_that_goes_on_is_no_missing_video(tmp_path: Path) -> None:
    clip = clips.write(tmp_path / "a.mp4", clips.numbered(64, 48), frames=25, sound_seconds=6)
    assert len(read(clip)) == 25


def test_a_last_frame_that_stays_is_no_missing_video(tmp_path: Path) -> None:
    clip = clips.write(tmp_path / "a.mp4", clips.numbered(64, 48), times_ms=[0, 40, 80, 9000])
    assert len(read(clip)) == 4


def test_the_backend_is_told(tmp_path: Path) -> None:
    clip = clips.write(tmp_path / "a.mp4", clips.numbered(64, 48), frames=2)
    source = open_frames(clip, FrameRequest(EVERY), media=probe(clip), threads=1)
    assert source.backend.startswith("pyav ")
    assert source.device == "cpu"
    source.close()
    source.close()
    with pytest.raises(ValueError, match="unknown frame backend"):
        open_frames(clip, FrameRequest(EVERY), backend="crystal")


def test_a_backend_that_refuses_the_file_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "choosy_frames.py").write_text(
        "from frameloom.worker.frames.refusals import Refusal\n"
        "class B:\n"
        "    def refusal(self, path, media, requests, *, asked):\n"
        "        return Refusal('it is choosy', of_file=True)\n"
        "BACKEND = B()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(frames_base, "BACKENDS", {"choosy": "choosy_frames", **frames_base.BACKENDS})
    clip = clips.write(tmp_path / "a.mp4", clips.numbered(64, 48), frames=2)
    backend = open_frames(clip, FrameRequest(EVERY)).backend
    assert backend.startswith("pyav ")
    assert backend.endswith("; not choosy: it is choosy")
    with pytest.raises(ValueError, match="does not take this h264: it is choosy"):
        open_frames(clip, FrameRequest(EVERY), backend="choosy")


def test_fit_keeps_the_shape_and_never_enlarges(tmp_path: Path) -> None:
    media = probe(clips.write(tmp_path / "a.mp4", clips.numbered(64, 48), frames=2))
    assert fit(media, 32) == (32, 24)
    assert fit(media, 1000) == (64, 48)
