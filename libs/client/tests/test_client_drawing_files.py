"""Result files as they come: ours, those of others, cut off ones, in folders and ZIPs."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest
from drawing_clips import person, results, scene
from hypothesis import given
from hypothesis import strategies as st

from frameloom.client.drawing.captions import cues, turns
from frameloom.client.drawing.findings import Cue, Span
from frameloom.client.drawing.reading import read
from frameloom.client.errors import UsageError

VTT = """WEBVTT

NOTE made for this test

1
00:00:01.000 --> 00:00:02.500 align:start
<v Ann Smith>Fish &amp; <i>chips</i>
please

00:03.000 --> 00:04.000
Nobody says this

00:00:05.000 --> 00:00:05.000
no time at all
"""


def test_captions_with_voices_tags_and_without_hours() -> None:
    found = list(cues(io.StringIO(VTT)))
    assert found == [
        Cue(1.0, 2.5, "Fish & chips please", "Ann Smith"),
        Cue(3.0, 4.0, "Nobody says this", ""),
    ]
    srt = "1\n00:00:01,500 --> 00:00:02,000\nHello\n\n2\n01:00:00,000 --> 01:00:01,000\nLater"
    assert [(cue.begin, cue.text) for cue in cues(io.StringIO(srt))] == [(1.5, "Hello"), (3600.0, "Later")]


def test_turns_of_speakers() -> None:
    lines = [
        "SPEAKER video 1 0.500 1.250 <NA> <NA> A <NA> <NA>",
        "SPKR-INFO video 1 <NA> <NA> <NA> unknown A <NA> <NA>",
        "SPEAKER video 1 x 1 <NA> <NA> B <NA> <NA>",
        "SPEAKER video 1 2.000 0.000 <NA> <NA> B <NA> <NA>",
    ]
    assert list(turns(lines)) == [Span(0.5, 1.75, "A")]


@given(st.text(max_size=300))
def test_no_text_breaks_the_readers(text: str) -> None:
    for cue in cues(io.StringIO(text)):
        assert cue.end > cue.begin
    for span in turns(io.StringIO(text)):
        assert span.end > span.begin


def test_one_thing_in_two_files_is_drawn_once(tmp_path: Path) -> None:
    said = [{"start": 0.5, "end": 1.0, "text": "Yes", "speaker": "SPEAKER_00"}]
    turn = [{"start": 0.5, "end": 1.0, "speaker": "SPEAKER_00"}]
    scenes = {"annotations": [scene(0, 2)], "scenes": [scene(0, 2)], "images": []}
    folder = results(
        tmp_path / "r",
        clip_transcript={"segments": said},
        clip_speakers={"turns": turn},
        clip_scene_detection=scenes,
    )
    (folder / "clip_speech_recognition.vtt").write_text(
        "WEBVTT\n\n00:00.500 --> 00:01.000\n<v SPEAKER_00>Yes\n"
    )
    (folder / "clip_speaker_diarization.rttm").write_text(
        "SPEAKER video 1 0.5 0.5 <NA> <NA> SPEAKER_00 <NA> <NA>\n"
    )
    found = read(folder, "clip")
    assert found.cues == [Cue(0.5, 1.0, "Yes", "SPEAKER_00")]
    assert found.lanes == {"speakers": [Span(0.5, 1.0, "SPEAKER_00")], "scenes": [Span(0, 2, "unknown")]}
    (folder / "clip_speech_recognition.vtt").unlink()
    assert [cue.text for cue in read(folder, "clip").cues] == ["Yes"], "then from the JSON file"


def test_faces_of_frameloom_and_of_videoannotator(tmp_path: Path) -> None:
    ours = {"bbox": [1, 2, 3, 4], "timestamp": 0.0, "face_id": 0, "emotion": "sad", "category_id": 100}
    ours["landmarks"] = [[1.0, 2.0], [3.0, 4.0]]
    linked = {"bbox": [5, 2, 3, 4], "timestamp": 0.0, "face_id": 1, "person_label": "infant"}
    linked["attributes"] = {"emotions": {"joy": {"score": 0.9}, "fear": {"score": 0.1}}}
    found = read(results(tmp_path / "r", clip_faces=[ours, linked]), "clip")
    first, second = found.boxes_at(0.0)
    assert (first.kind, first.name, first.note, first.points) == ("face", "face 0", "sad", ((1, 2), (3, 4)))
    assert (second.name, second.note) == ("infant", "joy")


def test_persons_with_labels_and_joints(tmp_path: Path) -> None:
    joints = [10.0, 20.0, 2, 0, 0, 0] + [0] * 45
    row = person(0.0, (1, 2, 3, 4), 7, person_label="parent", keypoints=joints, num_keypoints=1)
    (box,) = read(results(tmp_path / "r", clip_persons=[row]), "clip").boxes_at(0.0)
    assert (box.key, box.name, box.points) == ("person 7", "#7 parent", ((10.0, 20.0),))


def test_lanes_and_curves_of_plug_ins(tmp_path: Path) -> None:
    document = {
        "samples": [{"timestamp": t / 2, "value": float(t)} for t in range(4)],
        "dark": [{"start": 0.5, "end": 1.5, "label": "dark"}],
    }
    quality = {"frames": [{"timestamp": 0.1, "frame_number": 3, "blur": 1.0, "light": 2.0, "noise": 3.0}]}
    found = read(results(tmp_path / "r", clip_brightness=document, clip_quality=quality), "clip")
    assert found.lanes == {"dark": [Span(0.5, 1.5, "dark")]}
    assert {name: list(curve.values) for name, curve in found.curves.items()} == {
        "brightness": [0, 1, 2, 3],
        "blur": [1],
        "light": [2],
    }


def test_what_can_not_be_drawn_is_passed_over_with_a_word(tmp_path: Path) -> None:
    folder = results(tmp_path / "r", clip_good=[person(0, (1, 2, 3, 4))], clip_settings={"a": [1, 2]})
    whole = json.dumps({"annotations": [person(0, (1, 2, 3, 4), 2)], "images": [{"timestamp": 1}]})
    (folder / "clip_cut.json").write_text(whole[: whole.index("images")])
    (folder / "clip_noise.json").write_bytes(b"\xff\xfe\x00")
    (folder / "clip.vtt").write_text("WEBVTT\n")
    (folder / "clip.csv").write_text("a,b\n")
    (folder / "clip.eaf").write_text("<a/>")
    (folder / "notes.docx").write_text("not ours")
    found = read(folder, "clip")
    assert sorted(track.key for track in found.tracks.values()) == ["person 1", "person 2"]
    assert set(found.passed_over) == {
        "clip_cut.json", "clip_noise.json", "clip_settings.json", "clip.vtt", "clip.csv", "clip.eaf"
    }  # fmt: skip
    assert "what comes before is drawn" in found.passed_over["clip_cut.json"]
    assert sorted(found.files) == ["clip_cut.json", "clip_good.json"]


def test_files_of_other_videos_in_the_folder_are_left_alone(tmp_path: Path) -> None:
    folder = results(
        tmp_path / "r", clip_persons=[person(0, (1, 2, 3, 4))], other_persons=[person(0, (9, 9, 9, 9), 5)]
    )
    assert [track.key for track in read(folder, "clip").tracks.values()] == ["person 1"]
    assert len(read(folder, "renamed").tracks) == 2, "of a video of another name, all are taken"
    inner = tmp_path / "out"
    inner.mkdir()
    folder.rename(inner / "clip")
    assert len(read(inner, "clip").tracks) == 1, "annotate puts those of several videos into folders"


def test_a_zip_and_a_single_file(tmp_path: Path) -> None:
    folder = results(tmp_path / "r", clip_persons=[person(0, (1, 2, 3, 4))])
    with zipfile.ZipFile(tmp_path / "job.zip", "w") as archive:
        archive.write(folder / "clip_persons.json", "job_1/clip_persons.json")
        archive.writestr("job_1/clip.mp4", b"video")
    assert read(tmp_path / "job.zip", "clip").files == ["clip_persons.json"]
    assert len(read(folder / "clip_persons.json", "clip").tracks) == 1
    with pytest.raises(UsageError, match="does not exist"):
        read(tmp_path / "nowhere", "clip")
