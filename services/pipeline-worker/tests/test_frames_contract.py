"""The frame port's contract, on both decoders over the same clips.

DALI is half a gigabyte, so it is an extra and CI does without: then its half is skipped. ``make dali``
fetches it and runs these tests. Without a GPU DALI reads VP8, VP9 and MJPEG only; with one the rest is
tried as well.
"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pytest
import worker_clips as clips

from frameloom.worker.errors import TaskError
from frameloom.worker.frames import FrameBatch, FrameRequest, Sampling, open_frames, open_shared
from frameloom.worker.frames.batching import Subscriptions
from frameloom.worker.frames.dali.driver import dali_version, gpu

EVERY = Sampling.every_frame()
SIZE = (160, 144)
"""NVDEC takes nothing smaller of some codecs."""

needs_dali = pytest.mark.skipif(dali_version() is None, reason="DALI is not installed (see this file's head)")
BACKENDS = ["pyav", pytest.param("dali", marks=needs_dali)]
ON_CPU = [("a.webm", "libvpx-vp9"), ("a.mkv", "libvpx"), ("b.mp4", "libvpx-vp9"), ("a.avi", "mjpeg")]
ON_GPU = [("a.mp4", "libx264"), ("a.ts", "libx264"), ("c.mp4", "libx265"), ("a.mov", "mpeg4")]
CODECS = [("a.webm", "libvpx-vp9"), *ON_GPU] if gpu() else ON_CPU
CLIPS = pytest.mark.parametrize(("name", "codec"), CODECS, ids=[f"{c}-{n[2:]}" for n, c in CODECS])
NEAR = 3.0
"""Mean difference of a picture between the decoders, of 255: rounding, and filters at edges."""


def read(path: Path, backend: str, sampling: Sampling = EVERY, **request: object) -> FrameBatch:
    wanted = FrameRequest(sampling, **request)  # type: ignore[arg-type]
    with open_frames(path, wanted, backend=backend) as source:
        batches = list(source)
        assert source.backend.startswith(f"{backend} ")
    for batch in batches:
        assert batch.pixels.dtype == np.uint8
        assert batch.pixels.flags.c_contiguous
    assert all(len(batch) == wanted.batch_size for batch in batches[:-1])
    return FrameBatch(
        np.concatenate([b.pixels for b in batches]),
        np.concatenate([b.timestamps for b in batches]),
        np.concatenate([b.frame_numbers for b in batches]),
    )


def numbered(path: Path, codec: str, **options: object) -> Path:
    return clips.write(path, clips.numbered(*SIZE), size=SIZE, codec=codec, **options)  # type: ignore[arg-type]


def textured(path: Path, codec: str = "libvpx-vp9", **options: object) -> Path:
    """Something like a real picture: smooth, with edges, in colours, moving."""
    y, x = np.mgrid[0 : SIZE[1], 0 : SIZE[0]]

    def picture(index: int) -> np.ndarray:
        light = 110 + 60 * np.sin((x + index * 3) / 17) * np.cos((y - index) / 11)
        image = np.stack([light + 40 * np.sin((x + y) / 60 + phase) for phase in (0, 2, 4)], axis=2)
        image[40:90, 30 + index : 80 + index] = (200, 60, 80)
        return image.astype(np.uint8)

    return clips.write(path, picture, size=SIZE, codec=codec, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("backend", BACKENDS)
@CLIPS
def test_every_frame_in_order_with_its_time(tmp_path: Path, name: str, codec: str, backend: str) -> None:
    got = read(numbered(tmp_path / name, codec), backend, batch_size=7)
    assert got.pixels.shape == (50, SIZE[1], SIZE[0], 3)
    assert [clips.index_of(p) for p in got.pixels] == list(range(50))
    assert got.frame_numbers.tolist() == list(range(50))
    assert got.timestamps == pytest.approx(np.arange(50) / 25, abs=1.1e-3)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("sampling", "numbers"),
    [
        (Sampling.per_second(5), [0, 5, 10, 15, 20, 25, 30, 35, 40, 45]),
        (Sampling.per_second(0.4), [0]),
        (Sampling.key_frames(), [0, 10, 20, 30, 40]),
    ],
    ids=str,
)
def test_sampling(tmp_path: Path, sampling: Sampling, numbers: list[int], backend: str) -> None:
    got = read(numbered(tmp_path / "a.webm", "libvpx-vp9"), backend, sampling)
    assert got.frame_numbers.tolist() == numbers
    assert [clips.index_of(p) for p in got.pixels] == numbers


@pytest.mark.parametrize("backend", BACKENDS)
def test_one_frame(tmp_path: Path, backend: str) -> None:
    clip = numbered(tmp_path / "a.webm", "libvpx-vp9", frames=1)
    for sampling in (EVERY, Sampling.per_second(5), Sampling.per_second(0.1), Sampling.key_frames()):
        assert read(clip, backend, sampling).timestamps.tolist() == [0.0]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("angle", [90, -90, 180])
def test_rotated_video_comes_upright(tmp_path: Path, angle: int, backend: str) -> None:
    def corner(_: int) -> np.ndarray:  # white in the stored picture's top left quarter
        picture = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
        picture[: SIZE[1] // 2, : SIZE[0] // 2] = 255
        return picture

    clip = clips.write(tmp_path / "a.mp4", corner, frames=5, rotation=angle, size=SIZE, codec="libvpx-vp9")
    for size in (None, (50, 40)):
        image = read(clip, backend, size=size).pixels[0].mean(axis=2)
        upright = SIZE if angle == 180 else SIZE[::-1]
        assert image.shape == ((size or upright)[1], (size or upright)[0])
        half = [image.shape[0] // 2, image.shape[1] // 2]
        means = [
            [image[: half[0], : half[1]].mean(), image[: half[0], half[1] :].mean()],
            [image[half[0] :, : half[1]].mean(), image[half[0] :, half[1] :].mean()],
        ]
        # The angle is counter-clockwise, as FFmpeg counts it.
        assert int(np.argmax(means)) == {90: 2, -90: 1, 180: 3}[angle]


@pytest.mark.parametrize("backend", BACKENDS)
def test_requests_of_different_kinds_share_one_decode(tmp_path: Path, backend: str) -> None:
    clip = numbered(tmp_path / "a.webm", "libvpx-vp9")
    requests = [
        FrameRequest(EVERY, size=(32, 24), colour="rgb", batch_size=8),
        FrameRequest(Sampling.per_second(5), size=(64, 48)),
        FrameRequest(EVERY, size=(32, 24), colour="rgb", batch_size=8),
    ]
    seen: dict[tuple[int, ...], list[int]] = {}
    with open_shared(clip, requests, backend=backend) as source:
        for delivery in source:
            seen.setdefault(delivery.places, []).extend(delivery.batch.frame_numbers.tolist())
        assert source.frames_decoded == 50
    assert seen == {(0, 2): list(range(50)), (1,): list(range(0, 50, 5))}


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_kept_batch_is_not_overwritten(tmp_path: Path, backend: str) -> None:
    clip = numbered(tmp_path / "a.webm", "libvpx-vp9", frames=40)
    batches = list(open_frames(clip, FrameRequest(EVERY, batch_size=4), backend=backend))
    assert [clips.index_of(p) for b in batches for p in b.pixels] == list(range(40))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_video_cut_in_half_is_a_decode_error(tmp_path: Path, backend: str) -> None:
    noise = np.random.default_rng(3).integers(0, 256, (8, SIZE[1], SIZE[0], 3), dtype=np.uint8)
    clip = clips.write(
        tmp_path / "a.mp4",
        lambda i: noise[i % 8],
        size=SIZE,
        frames=50,
        codec="libvpx-vp9",
        options={"movflags": "faststart"},
    )
    half = clips.truncate(clip, tmp_path / "half.mp4", 0.5)
    with pytest.raises(TaskError) as caught:
        list(open_frames(half, FrameRequest(EVERY), backend=backend))
    assert caught.value.category == "decode_error"


@needs_dali
@pytest.mark.parametrize("scaling", ["bilinear", "area"])
@pytest.mark.parametrize("size", [None, (64, 60), (200, 180), (33, 17)])
@pytest.mark.parametrize("colour", ["rgb", "bgr"])
def test_pixels_are_near(tmp_path: Path, size: tuple[int, int] | None, colour: str, scaling: str) -> None:
    clip = textured(tmp_path / "a.webm", frames=12)
    ours, theirs = (
        read(clip, backend, size=size, colour=colour, scaling=scaling) for backend in ("pyav", "dali")
    )
    assert ours.timestamps.tolist() == theirs.timestamps.tolist()
    differences = np.abs(ours.pixels.astype(int) - theirs.pixels).mean(axis=(1, 2, 3))
    assert differences.max() < NEAR


@needs_dali
@pytest.mark.parametrize("matrix", [1, 6, 9], ids=["bt709", "bt601", "bt2020"])
def test_colours_of_another_matrix_are_near(tmp_path: Path, matrix: int) -> None:
    """DALI takes each video for one of BT.601; high definition is BT.709."""
    clip = textured(tmp_path / "a.webm", frames=6, colour_space=matrix)
    for colour in ("rgb", "bgr"):
        ours, theirs = (read(clip, backend, colour=colour) for backend in ("pyav", "dali"))
        assert np.abs(ours.pixels.astype(int) - theirs.pixels).mean() < NEAR


@needs_dali
def test_a_batch_goes_to_torch_without_a_copy(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    clip = numbered(tmp_path / "a.webm", "libvpx-vp9", frames=4)
    with open_frames(clip, FrameRequest(EVERY), backend="dali") as source:
        (batch,) = list(source)
        assert batch.device == source.device
    tensor = batch.torch()
    assert tuple(tensor.shape) == batch.pixels.shape
    assert bool((tensor.cpu().numpy() == batch.pixels).all())
    if batch.device == "cpu":
        assert tensor.data_ptr() == batch.pixels.ctypes.data


@needs_dali
@pytest.mark.parametrize("angle", [0, 90])
def test_tensors_go_the_way_that_they_go_on_a_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, angle: int
) -> None:
    """From DALI by DLPack into a batch that is a tensor; here all of it in main memory."""
    torch = pytest.importorskip("torch")
    from frameloom.worker.frames.dali import graph, source

    monkeypatch.setattr(graph, "_handed_over", lambda tensor, *, gpu: torch.from_dlpack(tensor)[0])
    allocate = functools.partial(torch.empty, dtype=torch.uint8)
    monkeypatch.setattr(
        source, "Subscriptions", lambda *of, **other: Subscriptions(*of, **{**other, "allocate": allocate})
    )
    clip = numbered(tmp_path / "a.mp4", "libvpx-vp9", frames=30, rotation=angle)
    with open_frames(clip, FrameRequest(EVERY, size=(48, 54), batch_size=8), backend="dali") as opened:
        batches = list(opened)
    assert all(isinstance(batch.torch(), torch.Tensor) for batch in batches)
    assert [clips.index_of(p) for batch in batches for p in batch.pixels] == list(range(30))


def test_a_batch_that_is_a_tensor() -> None:
    torch = pytest.importorskip("torch")
    tensor = torch.arange(24, dtype=torch.uint8).reshape(2, 2, 2, 3)
    batch = FrameBatch(tensor, np.zeros(2), np.arange(2))
    assert len(batch) == 2
    assert batch.torch() is tensor
    assert batch.pixels.tolist() == tensor.tolist()
    assert not batch.pixels.flags.writeable


def test_a_batch_in_main_memory_is_a_tensor_without_a_copy() -> None:
    pytest.importorskip("torch")
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3)
    pixels.flags.writeable = False
    batch = FrameBatch(pixels, np.zeros(2), np.arange(2))
    assert batch.device == "cpu"
    assert batch.torch().data_ptr() == pixels.ctypes.data
