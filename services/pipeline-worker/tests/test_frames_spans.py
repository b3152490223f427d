"""Segments of pictures and sound: together they are the whole, with the same times and numbers."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import worker_clips as clips
import worker_tones as tones
from worker_segments import cut

from frameloom.worker.errors import TaskError
from frameloom.worker.frames import FrameRequest, Sampling, open_shared
from frameloom.worker.media.spans import Span, frame_span, sound_span
from frameloom.worker.sound import SoundRequest, open_sound

Seen = list[tuple[int, float, int]]


def seen(path: Path, sampling: Sampling, span: Span | None = None) -> Seen:
    """Number, time, and what is in the picture."""
    found: Seen = []
    with open_shared(path, [FrameRequest(sampling, batch_size=3)], span=span) as source:
        for delivery in source:
            batch = delivery.batch
            for pixels, time, number in zip(batch.pixels, batch.timestamps, batch.frame_numbers, strict=True):
                found.append((int(number), round(float(time), 6), clips.index_of(pixels)))
    return found


CLIPS = [
    ("a.mp4", "libx264"),
    ("a.mkv", "libx264"),
    ("a.webm", "libvpx-vp9"),
    ("a.mov", "libx265"),
    ("b.mp4", "mpeg4"),
    ("a.ts", "libx264"),
]
EVERY = Sampling.every_frame()


@pytest.mark.parametrize(("name", "codec"), CLIPS)
@pytest.mark.parametrize("sampling", [EVERY, Sampling.per_second(10), Sampling.per_second(3)])
def test_segments_show_every_frame_of_the_whole_once(
    tmp_path: Path, name: str, codec: str, sampling: Sampling
) -> None:
    clip = clips.write(tmp_path / name, clips.numbered(64, 48), codec=codec, frames=65, gop=7)
    whole = seen(clip, sampling)
    spans = [frame_span(clip, segment) for segment in cut(2.6, 3, 0.3)]
    assert [span.begin for span in spans] == sorted({span.begin for span in spans}), "borders rise"
    own: Seen = []
    for span in spans:
        got = seen(clip, sampling, span)
        assert got == [one for one in whole if span.begin <= one[1] < (span.until or 99)]
        own += [one for one in got if span.end is None or one[1] < span.end]
    assert own == whole


def test_open_groups_of_pictures_and_their_leading_frames(tmp_path: Path) -> None:
    """B-frames before a key frame belong to the segment before, though they come after it in the file."""
    clip = clips.write(tmp_path / "a.mkv", clips.numbered(64, 48), frames=60, gop=12, codec="libx265")
    whole = seen(clip, EVERY)
    spans = [frame_span(clip, segment) for segment in cut(2.4, 2, 0.1)]
    parts = [seen(clip, EVERY, span) for span in spans]
    assert [one for one in parts[0] if one[1] < (spans[0].end or 0)] + parts[1] == whole


def test_a_variable_frame_rate_samples_alike(tmp_path: Path) -> None:
    times = [0, 40, 130, 160, 410, 420, 500, 640, 645, 700, 910, 1000, 1200, 1210, 1333, 1400, 1500, 1700]
    clip = clips.write(tmp_path / "a.mp4", clips.numbered(64, 48), times_ms=times, gop=4)
    for rate in (2.0, 7.0, 10.0):
        whole = seen(clip, Sampling.per_second(rate))
        spans = [frame_span(clip, segment) for segment in cut(1.7, 3, 0.0)]
        assert [one for span in spans for one in seen(clip, Sampling.per_second(rate), span)] == whole


def test_a_segment_without_a_key_frame_of_its_own_is_empty(tmp_path: Path) -> None:
    clip = clips.write(tmp_path / "a.mp4", clips.numbered(64, 48), frames=50, gop=500)
    first, second = (frame_span(clip, segment) for segment in cut(2.0, 2, 0.2))
    assert (first.begin, first.end, first.empty) == (0.0, None, False)
    assert second.empty
    assert seen(clip, EVERY, first) == seen(clip, EVERY)


def test_where_the_video_breaks_off_one_segment_tells(tmp_path: Path) -> None:
    whole = clips.write(tmp_path / "a.mkv", clips.numbered(640, 480), frames=100, gop=10, size=(640, 480))
    broken = clips.truncate(whole, tmp_path / "b.mkv", 0.6)
    told = []
    for segment in cut(4.0, 4, 0.0):
        span = frame_span(broken, segment)
        try:
            told.append("empty" if span.empty else str(len(seen(broken, EVERY, span))))
        except TaskError as error:
            told.append(error.category.value)
    assert told.count("decode_error") == 1
    assert told[-1] == "empty"


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "aac"), ("a.mkv", "libopus"), ("a.wav", "pcm_s16le"), ("a.flac", "flac")]
)
def test_segments_of_sound_are_the_whole(tmp_path: Path, name: str, codec: str) -> None:
    rate = 48_000 if codec == "libopus" else 44_100
    path = tones.tone(tmp_path / name, codec, seconds=9.0, rate=rate, loud_from=1.0)
    request = SoundRequest(block_seconds=0.7)
    with open_sound(path, request) as source:
        whole = np.concatenate([block.samples for block in source])
    for segment in cut(9.0, 3, 0.6):
        span = sound_span(segment)
        with open_sound(path, request, span) as source:
            blocks = list(source)
        begin = span.heard_from(16_000)
        end = len(whole) if span.until is None else round(span.until * 16_000)
        assert round(blocks[0].start_seconds * 16_000) == begin
        for before, after in pairwise(blocks):
            assert after.start_seconds == pytest.approx(before.end_seconds)
        got = np.concatenate([block.samples for block in blocks])
        assert abs(len(got) - (end - begin)) <= 16
        # Matroska rounds time stamps to milliseconds, so a seek may miss by one.
        slack = 16 if path.suffix == ".mkv" else 0
        middle = len(got) // 2
        window = got[middle : middle + 4000]
        shifts = range(-slack, slack + 1)
        misses = [np.abs(window - whole[begin + middle + shift :][:4000]).max() for shift in shifts]
        assert min(misses) < 0.09, "half a sample at 440 Hz"


def test_no_sound_in_a_segment_is_no_error(tmp_path: Path) -> None:
    path = clips.write(tmp_path / "a.mp4", clips.numbered(64, 48), frames=200, sound_seconds=2.0)
    *_, last = cut(8.0, 4, 0.0)
    with open_sound(path, SoundRequest(), sound_span(last)) as source:
        assert list(source) == []
