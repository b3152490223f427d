"""Results onto a video: each box where it belongs, every picture at its time, the sound as it was."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from drawing_clips import GREY, clip, opened, person, pictures, results, scene, sound_packets, times

from frameloom.client.drawing.film import Look, make_film
from frameloom.client.drawing.findings import Findings
from frameloom.client.drawing.order import Order, make
from frameloom.client.drawing.palette import Fonts, colour_of, wrapped
from frameloom.client.drawing.reading import read
from frameloom.client.drawing.sheet import make_sheet
from frameloom.client.errors import UsageError

BOXES = Look(captions=False, timeline=False)


def film(tmp_path: Path, video: Path, look: Look = BOXES, **files: object) -> Path:
    found = read(results(tmp_path / "results", **files), video.stem)
    return make_film(video, found, tmp_path / "film.mp4", look).path


def edges(picture: np.ndarray, row: int) -> list[int]:
    """The columns of a row where something is drawn; lines have a dark rim of a pixel."""
    return [x for x in range(picture.shape[1]) if np.abs(picture[row, x].astype(int) - GREY).max() > 30]


def test_a_box_is_where_and_when_it_was_found(tmp_path: Path) -> None:
    video = clip(tmp_path / "clip.mp4", frames=25)
    rows = [person(0.2, (40, 60, 100, 120)), person(0.4, (80, 60, 100, 120))]
    drawn = list(pictures(film(tmp_path, video, clip_person_tracking=rows)))
    by_time = {round(time, 2): picture for time, picture in drawn}
    assert edges(by_time[0.0], 120) == [], "nobody was there yet"
    first = edges(by_time[0.2], 120)
    assert (min(first), max(first)) == (pytest.approx(40, abs=3), pytest.approx(140, abs=3))
    between = edges(by_time[0.32], 120)
    assert min(between) == pytest.approx(64, abs=3), "on the way from one look to the next"
    assert abs(int(by_time[0.2][150, 90].mean()) - GREY) < 6, "inside a box the picture is as it was"
    assert edges(by_time[0.8], 120) == [], "not seen any more"


def test_looks_that_are_far_apart_are_not_joined(tmp_path: Path) -> None:
    rows = [person(0.0, (0, 0, 10, 10)), person(0.2, (0, 0, 10, 10)), person(5.0, (100, 0, 10, 10))]
    images = [{"timestamp": index / 5} for index in range(30)]
    document = {"annotations": rows, "images": images}
    found = read(results(tmp_path / "r", clip_persons=document), "clip")
    assert found.steps == {"person": pytest.approx(0.2)}
    assert [box.left for box in found.boxes_at(0.1)] == [0]
    assert [box.left for box in found.boxes_at(0.3)] == [0], "until the next look"
    assert found.boxes_at(0.5) == []
    assert [box.left for box in found.boxes_at(5.1)] == [100]


def test_boxes_without_a_track_and_files_out_of_order(tmp_path: Path) -> None:
    rows = [person(t, (x, 0, 9, 9), None) for t, x in [(0.4, 3), (0.0, 1), (0.2, 2), (0.0, 50)]]
    found = read(results(tmp_path / "r", clip_persons=rows), "clip")
    assert sorted(box.left for box in found.boxes_at(0.0)) == [1, 50]
    assert [box.left for box in found.boxes_at(0.3)] == [2]


def test_a_text_stays_from_its_beginning_to_its_end(tmp_path: Path) -> None:
    lines = [{"start": 1.0, "end": 3.0, "text": "EXIT", "bbox": [5, 5, 20, 10]}]
    found = read(results(tmp_path / "r", clip_ocr={"lines": lines}), "clip")
    assert [box.note for box in found.boxes_at(2.9)] == ["EXIT"]
    assert found.boxes_at(3.1) == []
    assert found.cues == []


def test_all_pictures_at_their_times(tmp_path: Path) -> None:
    video = clip(tmp_path / "clip.mp4", times_ms=[0, 40, 120, 133, 500, 900, 1400])
    drawn = film(tmp_path, video, clip_person_tracking=[person(0.1, (40, 60, 100, 120))])
    assert times(drawn) == times(video)
    assert len(times(drawn)) == 7


def test_b_frames_change_no_time(tmp_path: Path) -> None:
    video = clip(tmp_path / "clip.mkv", frames=60, fps=30)
    drawn = film(tmp_path, video, clip_person_tracking=[person(0.1, (40, 60, 100, 120))])
    assert times(drawn) == pytest.approx(times(video), abs=1e-3)


def test_the_sound_is_copied_or_made_one_that_players_play(tmp_path: Path) -> None:
    rows = [person(0.1, (40, 60, 100, 120))]
    video = clip(tmp_path / "clip.mp4", sound="aac")
    assert sound_packets(film(tmp_path, video, clip_person_tracking=rows)) == sound_packets(video)
    raw = clip(tmp_path / "clip.mkv", sound="pcm_s16le")
    with av.open(str(film(tmp_path, raw, clip_person_tracking=rows))) as container:
        (audio,) = container.streams.audio
        heard = sum(frame.samples for frame in container.decode(audio))
        assert audio.codec_context.name == "aac"
    assert heard / 16_000 == pytest.approx(16_384 / 16_000, abs=0.15)


def test_odd_sizes_are_kept_but_for_an_edge(tmp_path: Path) -> None:
    video = clip(tmp_path / "clip.mkv", size=(161, 121), frames=5)
    drawn = film(tmp_path, video, clip_person_tracking=[person(0.0, (20, 30, 60, 60))])
    ((_, first), *_) = pictures(drawn)
    assert first.shape[:2] == (122, 162)
    columns = edges(first[:, :161], 60)
    assert (min(columns), max(columns)) == (pytest.approx(20, abs=3), pytest.approx(80, abs=3))


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_a_rotated_video_is_drawn_upright(tmp_path: Path, rotation: int) -> None:
    video = clip(tmp_path / "clip.mp4", size=(320, 160), frames=5, rotation=rotation)
    drawn = film(tmp_path, video, clip_person_tracking=[person(0.0, (30, 40, 60, 80))])
    ((_, first), *_) = pictures(drawn)
    assert first.shape[:2] == ((160, 320) if rotation == 180 else (320, 160))
    columns = edges(first, 80)
    assert (min(columns), max(columns)) == (pytest.approx(30, abs=3), pytest.approx(90, abs=3))
    with av.open(str(drawn)) as container:
        assert next(container.decode(video=0)).rotation == 0


def test_captions_and_the_strip_do_not_cover_the_boxes(tmp_path: Path) -> None:
    video = clip(tmp_path / "clip.mp4", frames=25)
    folder = results(tmp_path / "r", clip_scene_detection=[scene(0, 0.5), scene(0.5, 1, "kitchen")])
    (folder / "clip_speech_recognition.vtt").write_text(
        "WEBVTT\n\n1\n00:00:00.000 --> 00:00:00.500\n<v Ann>Good &amp; well\n"
    )
    made = make_film(video, read(folder, "clip"), tmp_path / "film.mp4", Look())
    shown = {round(time, 2): picture for time, picture in pictures(made.path)}
    assert made.size[1] > 240
    band = slice(180, 240)
    assert shown[0.2][band].max() > 200, "letters"
    assert abs(int(shown[0.8][band].max()) - GREY) < 8, "no caption any more"
    heads = [int(shown[time][242].astype(int).sum(axis=1).argmax()) for time in (0.2, 0.8)]
    assert heads[1] - heads[0] > 100, "the line goes on with the time"


def test_width_and_parts(tmp_path: Path) -> None:
    video = clip(tmp_path / "clip.mp4", frames=5)
    rows = [person(0.0, (40, 60, 100, 120))]
    drawn = film(tmp_path, video, Look(timeline=False, width=640), clip_person_tracking=rows)
    ((_, first), *_) = pictures(drawn)
    assert first.shape[:2] == (480, 640)
    assert min(edges(first, 240)) == pytest.approx(80, abs=4)
    line = first[200:280, 80:83].reshape(-1, 3).astype(int)
    assert np.abs(line - colour_of("person 1")).max(axis=1).min() < 40, "in the colour of the track"
    plain = film(tmp_path, video, Look(boxes=False, timeline=False), clip_person_tracking=rows)
    assert all(np.abs(picture.astype(int) - GREY).max() < 8 for _, picture in pictures(plain))


def test_nothing_found_is_a_film_all_the_same_and_no_file_is_a_mistake(tmp_path: Path) -> None:
    video = clip(tmp_path / "clip.mp4", frames=5)
    folder = results(tmp_path / "r", clip_person_tracking=[])
    drawn = make(Order(video, folder, tmp_path / "film.mp4"))
    assert drawn.film is not None
    assert drawn.film.frames == 5
    assert drawn.document()["drawn"] == {}
    assert drawn.lines()[0] == "nothing was found that could be drawn"
    (tmp_path / "empty").mkdir()
    for place in (tmp_path / "empty", tmp_path / "nowhere"):
        with pytest.raises(UsageError):
            make(Order(video, place, tmp_path / "film2.mp4"))
    assert not (tmp_path / "film2.mp4").exists()


def test_a_damaged_video_and_no_video(tmp_path: Path) -> None:
    folder = results(tmp_path / "r", clip_person_tracking=[person(0.0, (40, 60, 100, 120))])
    whole = clip(tmp_path / "whole.mkv", frames=100)
    cut = tmp_path / "clip.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    drawn = make(Order(cut, folder, tmp_path / "film.mp4"))
    assert drawn.film is not None
    assert 10 < drawn.film.frames < 100
    text = tmp_path / "clip.txt"
    text.write_text("no video")
    with pytest.raises(UsageError, match="is no video that can be read"):
        make(Order(text, folder, tmp_path / "film2.mp4"))
    assert sorted(path.name for path in tmp_path.iterdir() if "film2" in path.name) == []


def test_a_contact_sheet_has_a_picture_for_each_scene(tmp_path: Path) -> None:
    video = clip(tmp_path / "clip.mp4", frames=75)
    scenes = [scene(0, 1), scene(1, 2, "kitchen"), scene(2, 3)]
    rows = [person(index / 5, (40, 60, 100, 120)) for index in range(15)]
    folder = results(tmp_path / "r", clip_scene_detection=scenes, clip_person_tracking=rows)
    made = make_sheet(video, read(folder, "clip"), tmp_path / "sheet.png", Look())
    assert (made.pictures, made.scenes) == (3, 3)
    page = np.asarray(opened(made.path))
    assert np.any(np.abs(page.astype(int) - colour_of("person 1")).max(axis=2) < 8)
    spread = make_sheet(video, Findings(), tmp_path / "sheet.jpg", Look())
    assert (spread.pictures, spread.scenes) == (3, 0)
    with pytest.raises(UsageError, match="written as"):
        make_sheet(video, Findings(), tmp_path / "sheet.gif", Look())


def test_colours_are_stable_and_told_apart() -> None:
    assert colour_of("person 3") == colour_of("person 3")
    first = [colour_of(f"person {number}") for number in range(12)]
    assert len(set(first)) == 12
    assert min(sum(abs(a - b) for a, b in zip(x, y, strict=True)) for x, y in pairwise(first)) > 60
    assert colour_of("person 1") != colour_of("face 1")


def test_lines_are_no_wider_than_their_place() -> None:
    font = Fonts().size(14)
    lines = wrapped("a word and another one and " * 20, font, 200, 2)
    assert len(lines) == 2
    assert lines[1].endswith("…")
    assert all(font.getlength(line) <= 200 for line in lines)
    assert all(font.getlength(line) <= 50 for line in wrapped("Donaudampfschiffahrt", font, 50, 3))


def test_an_hour_of_boxes_takes_little_memory(tmp_path: Path) -> None:
    found = Findings()
    tracemalloc.start()
    track = found.track("person", "person 1", "person 1")
    for index in range(100_000):
        track.add(index / 25, (1.0, 2.0, 3.0, 4.0))
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert used < 8_000_000
    assert found.boxes_at(2000.0)[0].left == 1.0
