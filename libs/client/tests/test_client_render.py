"""``frameloom render`` and ``annotate --preview`` as commands."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
from client_gateway_more import zipped
from drawing_clips import clip, person, results, times
from typer.testing import CliRunner

from frameloom.client.cli import app

run = CliRunner()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    clip(tmp_path / "clip.mp4", frames=10)
    results(tmp_path / "results", clip_person_tracking=[person(0.0, (40, 60, 100, 120))])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_film_with_a_name_of_its_own(here: Path) -> None:
    done = run.invoke(app, ["render", "clip.mp4", "results"])
    assert (done.exit_code, done.stdout) == (0, "clip_annotated.mp4\n")
    assert "drawn: 1 person boxes" in done.stderr
    assert times(here / "clip_annotated.mp4") == times(here / "clip.mp4")
    assert sorted(path.name for path in here.iterdir()) == ["clip.mp4", "clip_annotated.mp4", "results"]


def test_a_sheet_alone_or_with_a_film(here: Path) -> None:
    done = run.invoke(app, ["render", "clip.mp4", "results", "--sheet", "sheet.jpg", "--json"])
    document = json.loads(done.stdout)
    assert document["film"] is None
    assert document["sheet"] == {"path": "sheet.jpg", "pictures": 1, "scenes": 0}
    assert document["drawn"] == {"person_boxes": 1}
    done = run.invoke(
        app, ["render", "clip.mp4", "results", "--sheet", "sheet.png", "-o", "film.mp4", "--json"]
    )
    film = json.loads(done.stdout)["film"]
    assert (film["frames"], film["width"], film["damaged_packets"]) == (10, 320, 0)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["clip.mp4"], "Name the video and its results"),
        (["nothing.mp4", "results"], "nothing.mp4 does not exist"),
        (["clip.mp4", "nowhere"], "nowhere does not exist"),
        (["clip.mp4", "results", "--parts", "boxes,hats"], "There is no part hats"),
        (["clip.mp4", "results", "--out", "film.avi"], "has to end in .mp4"),
        (["clip.mp4", "results", "--out", "clip.mp4"], "is the video itself"),
        (["clip.mp4", "results", "--out", "results"], "is a folder"),
        (["clip.mp4", "results", "--sheet", "sheet.gif"], "has to end in one of .jpg"),
        (["clip.mp4", "results", "--font", "clip.mp4"], "The font clip.mp4 can not be read"),
        (["clip.mp4", "results", "--width", "3"], "--width"),
    ],
)
def test_wrong_usage_is_told_and_writes_nothing(here: Path, words: list[str], told: str) -> None:
    before = sorted(path.name for path in here.iterdir())
    done = run.invoke(app, ["render", *words])
    assert done.exit_code == 2, done.output
    assert told in done.stderr
    assert sorted(path.name for path in here.iterdir()) == before


def test_without_the_extra_it_says_what_to_install(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "PIL" else find(name, *a)
    )
    for words in (["render", "clip.mp4", "results"], ["annotate", "clip.mp4", "--preview"]):
        done = run.invoke(app, words)
        assert done.exit_code == 5
        assert "pip install 'frameloom-client[render]'" in done.stderr


def test_the_results_of_a_job(here: Path, gateway) -> None:
    gateway.add_job("clip.mp4", ["face_analysis"])
    gateway.jobs["job-1"]["status"] = "completed"
    gateway.files["job-1", "face_analysis"] = (here / "results" / "clip_person_tracking.json").read_bytes()
    words = ["render", "clip.mp4", "--job", "job-1", "--server", gateway.url, "--json"]
    done = run.invoke(app, words)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["drawn"] == {"person_boxes": 1}


def test_a_job_with_its_video(here: Path, gateway) -> None:
    gateway.add_job("clip.mp4", ["face_analysis"])
    rows = (here / "results" / "clip_person_tracking.json").read_bytes()
    whole = {"holiday.mp4": (here / "clip.mp4").read_bytes(), "holiday_person_tracking.json": rows}
    gateway.zip = zipped(**whole)
    done = run.invoke(app, ["render", "--job", "job-1", "--server", gateway.url])
    assert (done.exit_code, done.stdout) == (0, "holiday_annotated.mp4\n"), done.output
    assert len(times(here / "holiday_annotated.mp4")) == 10
    gateway.zip = zipped(**{"holiday_person_tracking.json": rows})
    done = run.invoke(app, ["render", "--job", "job-1", "--server", gateway.url])
    assert done.exit_code == 2
    assert "hint: Name your copy of it" in done.stderr


def test_annotate_draws_a_preview_of_each_video(here: Path, gateway) -> None:
    (here / "clip.mp4").rename(here / "a.mp4")
    (here / "b.mp4").write_bytes(b"no video")
    words = ["annotate", "a.mp4", "b.mp4", "--preview", "--out", "out", "--server", gateway.url]
    done = run.invoke(app, [*words, "--pipelines", "face_analysis"])
    assert done.exit_code == 2, "one could not be drawn"
    assert "b.mp4: no preview: b.mp4 is no video that can be read" in done.stderr
    assert len(times(here / "out" / "a" / "a_preview.mp4")) == 10
    assert not list((here / "out" / "b").glob("*.mp4"))
    again = run.invoke(
        app, ["annotate", "a.mp4", "--preview", "--out", "two", "--server", gateway.url, "--json"]
    )
    lines = [json.loads(line) for line in again.stdout.splitlines()]
    assert again.exit_code == 0
    assert [line["type"] for line in lines[-2:]] == ["summary", "client.preview"]
    assert lines[-1]["film"]["path"] == "two/a_preview.mp4"
