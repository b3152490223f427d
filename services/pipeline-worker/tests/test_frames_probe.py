from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import worker_clips as clips

from frameloom.worker.errors import TaskError
from frameloom.worker.media.probe import probe

PICTURE = clips.numbered(64, 48)


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "avi", "ts"])
def test_facts_of_every_container(tmp_path: Path, suffix: str) -> None:
    media = probe(clips.write(tmp_path / f"a.{suffix}", PICTURE))
    assert (media.codec, media.width, media.height) == ("h264", 64, 48)
    assert media.fps == pytest.approx(25)
    assert media.duration_seconds == pytest.approx(2.0)
    assert media.frames_estimated == 50
    assert not media.has_audio
    assert media.rotation_degrees == 0


def test_sound_is_told_and_does_not_make_the_video_longer(tmp_path: Path) -> None:
    media = probe(clips.write(tmp_path / "a.mkv", PICTURE, sound_seconds=5))
    assert media.has_audio
    assert media.duration_seconds == pytest.approx(2.0)


def test_length_of_a_live_recording_is_counted(tmp_path: Path) -> None:
    media = probe(clips.write_live(tmp_path / "a.webm", PICTURE))
    assert media.duration_seconds == pytest.approx(2.0, abs=0.05)
    assert media.frames_estimated == 50


@pytest.mark.parametrize("codec", ["libx264", "mpeg2video"])
def test_length_of_a_program_stream_is_that_of_all_its_pictures(tmp_path: Path, codec: str) -> None:
    def still(_: int) -> npt.NDArray[np.uint8]:
        return np.zeros((48, 64, 3), np.uint8)

    clip = clips.write(tmp_path / "a.mpg", still, frames=250, gop=250, codec=codec)
    media = probe(clip)
    assert media.duration_seconds == pytest.approx(10.0, abs=0.05)
    assert (media.fps, media.frames_estimated) == (25.0, 250)


@pytest.mark.parametrize("angle", [90, -90, 180])
def test_size_is_that_of_the_upright_picture(tmp_path: Path, angle: int) -> None:
    media = probe(clips.write(tmp_path / "a.mp4", PICTURE, rotation=angle))
    assert (media.width, media.height) == ((64, 48) if angle == 180 else (48, 64))
    assert media.rotation_degrees == angle % 360


def test_variable_rate_is_averaged(tmp_path: Path) -> None:
    media = probe(clips.write(tmp_path / "a.mp4", PICTURE, times_ms=[0, 40, 80, 500, 1000, 1960]))
    assert media.fps == pytest.approx(3.0)
    assert media.duration_seconds == pytest.approx(2.0)


def test_one_frame(tmp_path: Path) -> None:
    media = probe(clips.write(tmp_path / "a.mp4", PICTURE, frames=1))
    assert media.frames_estimated == 1
    assert media.duration_seconds == pytest.approx(0.04)


def failure(path: Path) -> TaskError:
    with pytest.raises(TaskError) as caught:
        probe(path)
    return caught.value


@pytest.mark.parametrize("name", ["notes.mp4", "notes.txt"])
def test_text_is_no_video(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("I am not a video.\n" * 100)
    error = failure(tmp_path / name)
    assert error.category == "parse_error"
    assert "not a video" in error.message


def test_playlists_can_not_name_other_files(tmp_path: Path) -> None:
    clip = clips.write(tmp_path / "secret.ts", PICTURE)
    for name, content in {
        "list.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{clip}\n#EXT-X-ENDLIST\n",
        "list.ffconcat": f"ffconcat version 1.0\nfile {clip.name}\n",
    }.items():
        (tmp_path / name).write_text(content)
        assert failure(tmp_path / name).category == "parse_error"


def test_a_colon_in_the_name_is_no_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = clips.write(tmp_path / "a.mp4", PICTURE)
    clip.rename(tmp_path / "concat:a.mp4")
    monkeypatch.chdir(tmp_path)
    assert probe("concat:a.mp4").codec == "h264"


def test_empty_missing_and_unreadable(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    assert failure(tmp_path / "empty.mp4").message == "The file is empty."
    assert failure(tmp_path / "nowhere.mp4").category == "input_missing"
    assert failure(tmp_path).category in {"storage_error", "parse_error"}
    assert str(tmp_path) not in failure(tmp_path / "nowhere.mp4").message


def test_mp4_without_index(tmp_path: Path) -> None:
    whole = clips.write(tmp_path / "a.mp4", clips.flat(320, 240, [(200, 0, 0)], 50), size=(320, 240))
    error = failure(clips.truncate(whole, tmp_path / "b.mp4", 0.4))
    assert error.category == "parse_error"
    assert "moov" in error.message


def test_sound_alone(tmp_path: Path) -> None:
    error = failure(clips.write_sound_only(tmp_path / "a.mp4"))
    assert error.category == "parse_error"
    assert "only sound" in error.message


def test_no_picture_can_be_decoded(tmp_path: Path) -> None:
    clip = clips.write(tmp_path / "a.mp4", PICTURE, options={"movflags": "faststart"})
    content = clip.read_bytes()
    pictures = content.index(b"mdat") + 4
    clip.write_bytes(content[:pictures] + bytes(len(content) - pictures))
    error = failure(clip)
    assert error.category == "decode_error"
    assert "No picture" in error.message


def test_the_error_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(TaskError("decode_error", "Broken.")))
    assert (error.category, error.message, str(error)) == ("decode_error", "Broken.", "Broken.")


def test_categories_are_those_of_the_table() -> None:
    with pytest.raises(ValueError, match="bad_luck"):
        TaskError("bad_luck", "x")
