"""Which decoder a file gets, and what happens when the first choice fails."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import worker_clips as clips

from frameloom.worker.errors import TaskError
from frameloom.worker.frames import FrameRequest, Sampling, open_frames
from frameloom.worker.frames import base as frames_base
from frameloom.worker.frames.choosing import decoding_threads
from frameloom.worker.frames.dali import colour, nvdec
from frameloom.worker.frames.dali.driver import Gpu, dali_version, gpu
from frameloom.worker.frames.dali.facts import VideoFacts, refusal
from frameloom.worker.frames.refusals import DecoderGaveUpError

EVERY = FrameRequest(Sampling.every_frame(), batch_size=8)
HOPPER, AMPERE, BLACKWELL = Gpu((9, 0)), Gpu((8, 6)), Gpu((12, 0))
H264 = VideoFacts("mov,mp4", "h264", "yuv420p", (1920, 1080), False, False, colour.BT601)

needs_dali = pytest.mark.skipif(
    dali_version() is None, reason="DALI is not installed (see test_frames_contract.py)"
)


def facts(**changed: object) -> VideoFacts:
    return VideoFacts(**{**{name: getattr(H264, name) for name in VideoFacts.__slots__}, **changed})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("card", "codec", "pixels", "size", "reason"),
    [
        (HOPPER, "h264", "yuv420p", (1920, 1080), None),
        (HOPPER, "hevc", "yuv420p10le", (3840, 2160), None),
        (HOPPER, "av1", "yuv420p", (1920, 1080), "NVDEC of Hopper has no av1"),
        (AMPERE, "av1", "yuv420p", (1920, 1080), None),
        (Gpu((8, 0)), "av1", "yuv420p", (1920, 1080), "NVDEC of GA100 has no av1"),
        (HOPPER, "h264", "yuv420p10le", (1920, 1080), "NVDEC of Hopper has no h264 of 10 bits"),
        (BLACKWELL, "h264", "yuv420p10le", (1920, 1080), None),
        (HOPPER, "h264", "yuv422p", (1920, 1080), "4:2:0 only"),
        (HOPPER, "h264", "yuv420p", (7680, 4320), "up to 4096x4096"),
        (HOPPER, "hevc", "yuv420p", (128, 96), "144x144 at least"),
        (HOPPER, "h264", "yuv420p", (641, 480), "even sides"),
        (HOPPER, "mjpeg", "yuvj420p", (1920, 1080), "no mjpeg video on the GPU"),
        (HOPPER, "prores", "yuv422p10le", (1920, 1080), "4:2:0 only"),
        (HOPPER, "h264", "nv12", (1920, 1080), "no pictures of nv12"),
        (Gpu((5, 0)), "h264", "yuv420p", (1920, 1080), "compute capability 5.0"),
        (None, "h264", "yuv420p", (1920, 1080), "no h264 without a GPU"),
        (None, "vp9", "yuv420p", (1920, 1080), None),
        (None, "mjpeg", "yuvj422p", (1920, 1080), None),
    ],
)
def test_what_a_card_takes(
    card: Gpu | None, codec: str, pixels: str, size: tuple[int, int], reason: str | None
) -> None:
    got = refusal(facts(codec=codec, pixel_format=pixels, size=size), card)
    assert got is None if reason is None else got is not None and reason in got


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"container": "avi"}, "no times of presentation"),
        ({"interlaced": True}, "interlaced"),
        ({"colours": None}, "colour matrix"),
    ],
)
def test_what_no_card_takes(changed: dict[str, object], reason: str) -> None:
    assert reason in (refusal(facts(**changed), HOPPER) or "")


def test_a_full_range_is_left_to_those_who_heed_it() -> None:
    assert refusal(facts(codec="vp9", full_range=True), HOPPER) is None
    assert "full range" in (refusal(facts(codec="vp9", full_range=True), None) or "")


def test_facts_come_from_the_first_picture(tmp_path: Path) -> None:
    clip = clips.write(tmp_path / "a.mp4", clips.numbered(64, 48), frames=3, colour_space=1, rotation=90)
    found = VideoFacts.of(clip)
    assert (found.codec, found.pixel_format, found.size) == ("h264", "yuv420p", (64, 48))
    assert found.colours == colour.coefficients(1)
    assert not found.interlaced


def test_every_row_of_the_table_is_reachable() -> None:
    codecs = {row.codec for row in nvdec._TABLE}
    assert {codec for codec in codecs if nvdec.refusal((12, 0), codec, 8, (1920, 1080)) is None} == codecs


def test_the_colour_matrix_keeps_grey_and_undoes_the_wrong_standard() -> None:
    assert colour.correction(colour.BT601, bgr=False) is None
    assert colour.correction(colour.BT601, bgr=True) == pytest.approx([0, 0, 1, 0, 1, 0, 1, 0, 0])
    bt709 = colour.coefficients(1)
    assert bt709 is not None
    matrix = np.array(colour.correction(bt709, bgr=False)).reshape(3, 3)
    assert matrix.sum(axis=1) == pytest.approx([1, 1, 1])
    # Red of BT.709, as samples, read by BT.601 and put right again.
    samples = np.array([0.2126, -0.2126 / 1.8556, (1 - 0.2126) / 1.5748])
    wrong = np.array(
        [
            samples[0] + 1.402 * samples[2],
            samples[0] - 0.344136 * samples[1] - 0.714136 * samples[2],
            samples[0] + 1.772 * samples[1],
        ]
    )
    assert matrix @ wrong == pytest.approx([1, 0, 0], abs=1e-3)


@pytest.mark.parametrize(
    ("slots", "cores", "threads"), [(1, 2, None), (1, 64, None), (2, 2, 1), (8, 2, 1), (2, 8, 4), (3, 8, 2)]
)
def test_slots_share_the_cores(slots: int, cores: int, threads: int | None) -> None:
    assert decoding_threads(slots, cores) == threads


def test_without_a_gpu_nothing_is_said_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FRAMELOOM_WORKER_FRAMES", raising=False)
    if gpu() is not None:
        pytest.skip("this machine has a GPU")
    clip = clips.write(tmp_path / "a.webm", clips.numbered(64, 48), frames=2, codec="libvpx-vp9")
    with open_frames(clip, EVERY) as source:
        assert source.backend.startswith("pyav ")
        assert "dali" not in source.backend


def test_a_forced_decoder_tells_why_it_was_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAMELOOM_WORKER_FRAMES", "dali")
    if gpu() is not None:
        pytest.skip("this machine has a GPU")
    clip = clips.write(tmp_path / "a.mp4", clips.numbered(64, 48), frames=2)
    with open_frames(clip, EVERY) as source:
        assert [len(batch) for batch in source] == [2]
        reason = "DALI has no h264 without a GPU" if dali_version() else "DALI is not installed"
        assert source.backend.startswith("pyav ")
        assert source.backend.endswith(f"; not dali: {reason}")


GIVES_UP = """
from frameloom.worker.frames import pyav
from frameloom.worker.frames.refusals import DecoderGaveUpError

class Source(pyav.PyAVSource):
    backend = "frail 1.0"
    def __iter__(self):
        for count, delivery in enumerate(super().__iter__()):
            if count == LIMIT:
                raise DecoderGaveUpError("it broke")
            yield delivery

class B:
    def refusal(self, path, media, requests, *, asked):
        return None
    def open(self, path, requests, media, *, threads, span=None):
        if LIMIT < 0:
            raise DecoderGaveUpError("it never began")
        return Source(path, requests, media, threads, span)

BACKEND = B()
"""


@pytest.mark.parametrize(
    ("limit", "backend"),
    [
        (-1, "pyav {}; not frail: it never began"),
        (0, "pyav {}; not frail: it broke"),
        (2, "frail 1.0; from 0.600 s on pyav {}; not frail: it broke"),
    ],
)
def test_another_decoder_goes_on_where_one_gave_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int, backend: str
) -> None:
    name = f"frail_frames_{limit + 1}"
    (tmp_path / f"{name}.py").write_text(f"LIMIT = {limit}\n{GIVES_UP}")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(frames_base, "BACKENDS", {"frail": name, "pyav": frames_base.BACKENDS["pyav"]})
    clip = clips.write(tmp_path / "a.mp4", clips.numbered(64, 48), frames=50)
    with open_frames(clip, EVERY) as source:
        numbers = [number for batch in source for number in batch.frame_numbers.tolist()]
        version = source.backend.split("pyav ")[1].split(";")[0]
        assert source.backend == backend.format(version)
    assert numbers == list(range(50))


def test_giving_up_survives_the_way_to_the_parent_process() -> None:
    error = pickle.loads(pickle.dumps(DecoderGaveUpError("it broke")))
    assert isinstance(error, TaskError)
    assert error.category == "decode_error"
    assert error.reason == "it broke"


@needs_dali
def test_damage_is_left_to_pyav(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which knows how much of a video may be missing, and says where it ends."""
    monkeypatch.setenv("FRAMELOOM_WORKER_FRAMES", "dali")
    noise = np.random.default_rng(3).integers(0, 256, (8, 96, 128, 3), dtype=np.uint8)
    clip = clips.write(
        tmp_path / "a.mp4",
        lambda i: noise[i % 8],
        size=(128, 96),
        frames=75,
        codec="libvpx-vp9",
        options={"movflags": "faststart"},
    )
    half = clips.truncate(clip, tmp_path / "half.mp4", 0.5)
    with pytest.raises(TaskError, match=r"stops being readable at 1\.. s of 3\.0 s"):
        list(open_frames(half, EVERY))


@needs_dali
def test_wrong_pictures_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from frameloom.worker.frames.dali import source as dali_source

    monkeypatch.setenv("FRAMELOOM_WORKER_FRAMES", "dali")
    # As a card would look that has another idea of colours.
    monkeypatch.setattr(dali_source, "correction", lambda _, *, bgr: [0.0, 0, 0, 0, 1, 0, 0, 0, 1])
    clip = clips.write(tmp_path / "a.webm", clips.numbered(64, 48), frames=20, codec="libvpx-vp9")
    with open_frames(clip, EVERY) as source:
        assert sum(len(batch) for batch in source) == 20
        assert "not dali: its pictures differ from the reference decoder's" in source.backend


@needs_dali
def test_a_video_that_ends_in_black_is_no_lost_picture(tmp_path: Path) -> None:
    def fading(index: int) -> np.ndarray:
        return np.full((48, 64, 3), max(0, 200 - 10 * index), np.uint8)

    clip = clips.write(tmp_path / "a.webm", fading, frames=40, codec="libvpx-vp9")
    with open_frames(clip, EVERY, backend="dali") as source:
        assert sum(len(batch) for batch in source) == 40
