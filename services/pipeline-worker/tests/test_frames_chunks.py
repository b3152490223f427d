"""What DALI is fed with, held against PyAV's own decoding of the whole file. Needs neither DALI nor a GPU."""

from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np
import pytest
import worker_clips as clips
import worker_segments

from frameloom.worker.errors import TaskError
from frameloom.worker.frames import FrameRequest, Sampling, open_frames
from frameloom.worker.frames.base import DecoderGaveUpError
from frameloom.worker.frames.dali import chunks as chunking
from frameloom.worker.frames.dali.chunks import Chunk, Chunks
from frameloom.worker.frames.dali.packets import Pictures, pictures
from frameloom.worker.media.probe import probe
from frameloom.worker.media.spans import Span, frame_span

EVERY = Sampling.every_frame()
SAMPLINGS = [EVERY, Sampling.per_second(5), Sampling.per_second(0.4), Sampling.key_frames()]


def cut(
    path: Path, sampling: Sampling = EVERY, *, hidden_too: bool = True, span: Span | None = None
) -> list[Chunk]:
    media, wanted = probe(path), [FrameRequest(sampling)]
    chunks = Chunks(path, wanted, media, canonical(path), hidden_too=hidden_too, span=span)
    try:
        return list(chunks)
    finally:
        chunks.close()


def canonical(path: Path) -> str:
    with av.open(str(path)) as container:
        return container.streams.video[0].codec_context.codec.canonical_name


def decoded(chunk: Chunk) -> list[np.ndarray]:
    with av.open(io.BytesIO(chunk.data.tobytes())) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


CODECS = [
    ("a.mp4", "libx264"),
    ("a.mkv", "libx264"),
    ("a.ts", "libx264"),
    ("b.mp4", "libx265"),
    ("b.ts", "libx265"),
    ("a.webm", "libvpx-vp9"),
    ("b.webm", "libvpx"),
    ("c.mp4", "libsvtav1"),
    ("d.mp4", "mpeg4"),
    ("a.avi", "mjpeg"),
]


@pytest.mark.parametrize("sampling", SAMPLINGS, ids=str)
@pytest.mark.parametrize(("name", "codec"), CODECS, ids=[f"{c}-{n[2:]}" for n, c in CODECS])
def test_chunks_hold_the_same_pictures_at_the_same_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, codec: str, sampling: Sampling
) -> None:
    monkeypatch.setattr(chunking, "CHUNK_PICTURES", 15)
    clip = clips.write(tmp_path / name, clips.numbered(160, 144), codec=codec, size=(160, 144), frames=60)
    wanted = FrameRequest(sampling, batch_size=100)
    with open_frames(clip, wanted, backend="pyav") as source:
        batch = next(iter(source))
    found = cut(clip, sampling)
    told = {picture.time: picture.number for chunk in found for picture in chunk.pictures}
    assert [told[time] for time in batch.timestamps] == batch.frame_numbers.tolist()
    if sampling == EVERY:
        assert sorted(told) == batch.timestamps.tolist()
        assert len(found) > 1, "nothing was cut"
    indices = [clips.index_of(picture) for chunk in found for picture in decoded(chunk)]
    shown = [round(picture.time * 25) for chunk in found for picture in chunk.pictures]
    assert indices == shown


def test_what_an_edit_list_hides_is_known(tmp_path: Path) -> None:
    whole = clips.write(tmp_path / "a.mp4", clips.numbered(64, 48), frames=40, gop=10)
    late = tmp_path / "late.mp4"
    with av.open(str(whole)) as source, av.open(str(late), "w", options={"movflags": "+faststart"}) as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                packet.pts -= 5 * packet.duration  # what is before zero is hidden by an edit list
                packet.dts -= 5 * packet.duration
                target.mux(packet)
    with open_frames(late, FrameRequest(EVERY, batch_size=100), backend="pyav") as source:
        batch = next(iter(source))
    shown = [picture for chunk in cut(late) for picture in chunk.pictures if not picture.hidden]
    assert [picture.time for picture in shown] == batch.timestamps.tolist()
    assert [picture.number for picture in shown] == batch.frame_numbers.tolist()


def test_a_variable_rate_and_a_late_start(tmp_path: Path) -> None:
    times = [400, 440, 480, 900, 920, 2400, 2440]
    clip = clips.write(tmp_path / "a.mkv", clips.numbered(64, 48), times_ms=times, sound_seconds=2.5)
    with open_frames(clip, FrameRequest(EVERY), backend="pyav") as source:
        batch = next(iter(source))
    (chunk,) = cut(clip)
    assert [picture.time for picture in chunk.pictures] == batch.timestamps.tolist()


def test_sparse_sampling_leaves_stretches_out(tmp_path: Path) -> None:
    clip = clips.write(tmp_path / "a.mp4", clips.numbered(64, 48), frames=500, gop=25)
    found = cut(clip, Sampling.per_second(0.2))
    pictures = [picture for chunk in found for picture in chunk.pictures]
    assert len(pictures) <= 4 * 25
    assert {0, 125, 250, 375} <= {picture.number for picture in pictures}


@pytest.mark.parametrize("sampling", SAMPLINGS, ids=str)
def test_a_video_cut_in_half_is_not_taken_for_a_whole_one(tmp_path: Path, sampling: Sampling) -> None:
    noise = np.random.default_rng(3).integers(0, 256, (8, 96, 128, 3), dtype=np.uint8)
    options = {"movflags": "faststart"}
    clip = clips.write(tmp_path / "a.mp4", lambda i: noise[i % 8], size=(128, 96), frames=75, options=options)
    half = clips.truncate(clip, tmp_path / "half.mp4", 0.5)
    with pytest.raises(TaskError) as caught:
        cut(half, sampling)
    assert caught.value.category == "decode_error"


def test_pictures_that_are_not_shown_are_found(tmp_path: Path) -> None:
    """Two-pass encoders of VP9 and AV1 code pictures that only serve others."""
    clip = clips.write(tmp_path / "a.mp4", clips.numbered(160, 144), codec="libsvtav1", size=(160, 144))
    assert cut(clip)
    with pytest.raises(DecoderGaveUpError, match="not shown"):
        cut(clip, hidden_too=False)


@pytest.mark.parametrize(
    ("codec", "data", "expected"),
    [
        ("h264", b"\x00\x00\x00\x01\x65", (1, 1)),
        ("vp8", b"\x10\x00\x00", (1, 1)),
        ("vp8", b"\x00\x00\x00", (1, 0)),
        ("vp9", b"\x86\x00", (1, 1)),  # marker 2, profile 0, an inter picture that is shown
        ("vp9", b"\x84\x00", (1, 0)),  # the same, not shown
        ("vp9", b"\x88\x00", (0, 1)),  # one that is there already
        ("vp9", b"\x84\x00\xc1\x01\x01\xc1", (2, 1)),  # a superframe of two
        ("av1", b"\x12\x00\x32\x02\x10\x00", (1, 1)),  # a delimiter and one frame
        ("av1", b"\x12\x00\x32\x02\x00\x00\x32\x02\x10\x00", (2, 1)),
        ("av1", b"\x12\x00\x1a\x01\x80", (0, 1)),
        ("vp9", b"", (0, 0)),
    ],
)
def test_pictures_of_a_packet(codec: str, data: bytes, expected: tuple[int, int]) -> None:
    assert pictures(codec, data) == Pictures(*expected)


SEEN = [("a.mp4", "libx264"), ("a.mkv", "libx264"), ("b.webm", "libvpx")]


@pytest.mark.parametrize(("name", "codec"), SEEN)
def test_a_segment_is_fed_from_its_key_frame_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, codec: str
) -> None:
    monkeypatch.setattr(chunking, "CHUNK_PICTURES", 12)
    clip = clips.write(tmp_path / name, clips.numbered(160, 144), codec=codec, size=(160, 144), frames=60)
    whole = [picture for chunk in cut(clip) for picture in chunk.pictures]
    for segment in worker_segments.cut(2.4, 3, 0.3):
        span = frame_span(clip, segment)
        found = cut(clip, span=span)
        shown = [one for chunk in found for one in chunk.pictures if not one.hidden]
        until = span.until or 99.0
        assert shown == [one for one in whole if span.begin <= one.time < until and not one.hidden]
        told = [one for chunk in found for one in chunk.pictures]
        indices = [clips.index_of(picture) for chunk in found for picture in decoded(chunk)]
        assert indices == [round(one.time * 25) for one in told]
