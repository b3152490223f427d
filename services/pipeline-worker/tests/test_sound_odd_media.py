"""Sound that is odd: cut off, put together, damaged, loud, slow. Right times, or a clear error."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import worker_clips as clips
from av.stream import Disposition
from worker_tones import tone

from frameloom.worker.errors import TaskError
from frameloom.worker.media.headers import counts_its_frames, wav_data_bytes
from frameloom.worker.media.hearing import probe_sound
from frameloom.worker.sound import SoundRequest, open_sound

RATE = 16_000


def heard(path: Path) -> np.ndarray[Any, Any]:
    with open_sound(path, SoundRequest()) as source:
        return np.concatenate([block.samples for block in source])


def loudness(samples: np.ndarray[Any, Any], begin: float, end: float) -> float:
    return float(np.sqrt(np.mean(np.square(samples[int(begin * RATE) : int(end * RATE)]))))


def test_channels_never_add_up_to_more_than_full_scale(tmp_path: Path) -> None:
    for layout, rate in (("mono", 8_000), ("stereo", 44_100), ("5.1", 48_000)):
        path = tone(tmp_path / f"{layout}.mka", "pcm_s16le", rate=rate, layout=layout, seconds=1.0)
        samples = heard(path)
        assert 0.3 < np.abs(samples).max() <= 0.65, layout
        assert len(samples) / RATE == pytest.approx(1.0, abs=0.15)


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.wav", "pcm_mulaw"), ("a.wav", "adpcm_ima_wav"), ("a.mp3", "libmp3lame"), ("a.flac", "flac")],
)
def test_telephone(tmp_path: Path, name: str, codec: str) -> None:
    path = tone(tmp_path / name, codec, seconds=3.0, rate=8_000, layout="mono", loud_from=2.0)
    samples = heard(path)
    assert loudness(samples, 0.2, 1.8) < 0.05 < 0.2 < loudness(samples, 2.2, 2.9)


@pytest.mark.parametrize(
    ("name", "codec"), [("a.wav", "pcm_s16le"), ("a.mp3", "libmp3lame"), ("a.flac", "flac")]
)
def test_what_was_cut_off_is_told(tmp_path: Path, name: str, codec: str) -> None:
    path = tone(tmp_path / name, codec, seconds=10.0)
    assert len(heard(path)) / RATE == pytest.approx(10.0, abs=0.1)
    with pytest.raises(TaskError, match=r"stops being readable at \d\.\d s of 10\.\d s") as caught:
        heard(clips.truncate(path, tmp_path / f"cut-{name}", 0.6))
    assert caught.value.category == "decode_error"


def test_what_promises_nothing_is_read_to_its_end(tmp_path: Path) -> None:
    whole = tone(tmp_path / "a.wav", "pcm_s16le", seconds=10.0).read_bytes()
    place = whole.index(b"data") + 4
    for size in (0, 0xFFFF_FFFF, 0x7FFF_F000):
        live = tmp_path / "live.wav"
        live.write_bytes(whole[:place] + struct.pack("<I", size) + whole[place + 4 :])
        assert wav_data_bytes(live) is None
        assert len(heard(live)) / RATE == pytest.approx(10.0, abs=0.1)
    song = tone(tmp_path / "a.mp3", "libmp3lame", seconds=10.0)
    assert counts_its_frames(song)
    plain = tmp_path / "plain.mp3"
    plain.write_bytes(song.read_bytes().replace(b"Info", b"\0\0\0\0").replace(b"Xing", b"\0\0\0\0"))
    assert not counts_its_frames(plain)
    assert len(heard(clips.truncate(plain, tmp_path / "b.mp3", 0.6))) / RATE == pytest.approx(6.0, abs=0.2)


def test_a_tag_before_the_music(tmp_path: Path) -> None:
    song = tone(tmp_path / "a.mp3", "libmp3lame", seconds=1.0).read_bytes()
    size = song[6] << 21 | song[7] << 14 | song[8] << 7 | song[9]
    long = tmp_path / "long.mp3"
    long.write_bytes(b"ID3\x04\0\0\0\0\x46\x10" + bytes(0x46 << 7 | 0x10) + song[10 + size :])
    assert counts_its_frames(long)
    assert len(heard(long)) / RATE == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(
    ("suffix", "codec", "rates"),
    [
        (".mp3", "libmp3lame", (44_100, 22_050)),
        (".ts", "aac", (48_000, 48_000)),
        (".ts", "aac", (48_000, 24_000)),
        (".ogg", "libopus", (48_000, 48_000)),
    ],
)
def test_files_one_behind_the_other(tmp_path: Path, suffix: str, codec: str, rates: tuple[int, int]) -> None:
    """Time stamps begin anew, and the rate and the channels may change."""
    first = tone(tmp_path / f"1{suffix}", codec, seconds=4.0, rate=rates[0], loud_from=2.0)
    layout = "stereo" if rates[0] == rates[1] else "mono"
    second = tone(tmp_path / f"2{suffix}", codec, seconds=4.0, rate=rates[1], layout=layout, loud_from=2.0)
    both = tmp_path / f"both{suffix}"
    both.write_bytes(first.read_bytes() + second.read_bytes())
    samples = heard(both)
    assert len(samples) / RATE == pytest.approx(8.0, abs=0.25)
    for begin, loud in ((0.2, False), (2.2, True), (4.3, False), (6.3, True)):
        assert (loudness(samples, begin, begin + 1.4) > 0.1) == loud, begin


@pytest.mark.parametrize(("name", "codec"), [("a.m4a", "aac"), ("a.ogg", "libopus"), ("a.flac", "flac")])
def test_damage_in_the_middle_does_not_shift_what_follows(tmp_path: Path, name: str, codec: str) -> None:
    content = bytearray(tone(tmp_path / name, codec, seconds=12.0, rate=48_000, loud_from=8.0).read_bytes())
    begin = len(content) // 3
    content[begin : begin + 300] = np.random.default_rng(1).bytes(300)
    damaged = tmp_path / f"damaged-{name}"
    damaged.write_bytes(content)
    samples = heard(damaged)
    assert len(samples) / RATE == pytest.approx(12.0, abs=0.15)
    assert loudness(samples, 7.5, 7.9) < 0.05
    assert loudness(samples, 8.1, 8.5) > 0.1


@pytest.mark.parametrize(("name", "codec"), [("a.m4a", "aac"), ("a.webm", "libopus"), ("a.ts", "aac")])
def test_gaps(tmp_path: Path, name: str, codec: str) -> None:
    samples = heard(tone(tmp_path / name, codec, seconds=6.0, rate=48_000, gap=(2.0, 4.0)))
    assert len(samples) / RATE == pytest.approx(6.0, abs=0.1)
    assert loudness(samples, 2.2, 3.8) < 0.05
    assert loudness(samples, 4.2, 5.8) > 0.1


def test_a_cover_is_no_video(tmp_path: Path) -> None:
    song = tone(tmp_path / "a.mp3", "libmp3lame", seconds=2.0)
    covered = tmp_path / "covered.mp3"
    with av.open(str(song)) as source, av.open(str(covered), "w") as target:
        sound = target.add_stream_from_template(source.streams.audio[0])
        picture: Any = target.add_stream("mjpeg")
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuvj420p"
        picture.disposition = Disposition.attached_pic
        target.mux(picture.encode(av.VideoFrame(64, 48, "yuvj420p")))
        target.mux(picture.encode(None))
        for packet in source.demux(audio=0):
            if packet.size:
                packet.stream = sound
                target.mux(packet)
    with av.open(str(covered)) as container:
        assert container.streams.video, "the cover is there"
    info = probe_sound(covered)
    assert (info.has_audio, info.has_video) == (True, False)
    assert len(heard(covered)) / RATE == pytest.approx(2.0, abs=0.1)


def test_very_short(tmp_path: Path) -> None:
    path = tone(tmp_path / "a.wav", "pcm_s16le", seconds=0.01, rate=8_000, layout="mono")
    assert 0 < len(heard(path)) <= 0.2 * RATE
