"""Files that operators bring: recorded once, then models like any other; and pipelines that wait for them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from frameloom.worker.models import ModelStore, ModelUnavailableError, supplied
from frameloom.worker.models.__main__ import main
from frameloom.worker.pipelines.face_laion_clip import LaionFace
from frameloom.worker.pipelines.face_openface3_embedding import OpenFaceEmbedding
from frameloom.worker.pipelines.laion_voice import LaionVoice


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "mine.onnx"
    made.write_bytes(b"some weights")
    return made


def test_a_supplied_file_is_a_model_like_any_other(tmp_path: Path, file: Path) -> None:
    cache = tmp_path / "cache"
    assert main(["supply", "openface3", str(file), "--dir", str(cache), "--licence", "theirs"]) == 0
    store = ModelStore(cache, fetch=False)
    assert store.path("openface3").read_bytes() == b"some weights"
    assert store.digest("openface3") == hashlib.sha256(b"some weights").hexdigest()
    assert store.spec("openface3").licence == "theirs"
    assert store.verify()["openface3"] is True
    assert file.exists(), "it is copied"


def test_a_second_one_takes_its_place(tmp_path: Path, file: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    supplied.supply(cache, file, name="openface3", version="1", licence="x")
    supplied.supply(cache, file, name="other", version="1", licence="x")
    file.write_bytes(b"better weights")
    supplied.supply(cache, file, name="openface3", version="2", licence="x")
    store = ModelStore(cache, fetch=False)
    assert store.path("openface3").read_bytes() == b"better weights"
    assert store.spec("openface3").version == "2"
    assert store.has("other")


def test_a_filled_folder_is_a_mirror_for_others(tmp_path: Path, file: Path) -> None:
    mirror, cache = tmp_path / "mirror", tmp_path / "cache"
    mirror.mkdir()
    supplied.supply(mirror, file, name="openface3", version="1", licence="x")
    store = ModelStore(cache, mirrors=[str(mirror)])
    assert store.can_provide("openface3")
    assert store.path("openface3").parent.parent.parent == cache
    (mirror / store.spec("openface3").place).write_bytes(b"other weight")
    with pytest.raises(ModelUnavailableError, match="not the one that was pinned"):
        ModelStore(tmp_path / "third", mirrors=[str(mirror)]).path("openface3")


def test_what_comes_from_a_package_stays_pinned(
    tmp_path: Path, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["supply", "yunet", str(file), "--dir", str(tmp_path)]) == 2
    assert "pinned" in capsys.readouterr().err
    supplied.supply(tmp_path, file, name="yunet", version="1", licence="x")  # a list written by hand
    assert ModelStore(tmp_path).spec("yunet").version == "2023mar"


@pytest.mark.parametrize("name", ["Open Face", "../up", ""])
def test_names_that_are_none(
    tmp_path: Path, file: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["supply", "--dir", str(tmp_path / "c"), "--", name, str(file)]) == 2
    assert "name" in capsys.readouterr().err
    assert not (tmp_path / "c" / supplied.LIST_NAME).exists()


def test_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["supply", "openface3", str(tmp_path / "no"), "--dir", str(tmp_path), "--json"]) == 1
    assert "No such file" in json.loads(capsys.readouterr().out)["error"]["message"]


@pytest.mark.parametrize(
    "text", ["not json", '{"models": [{"name": "x"}]}', '{"models": [{"name": "../x"}]}']
)
def test_a_list_that_can_not_be_read_takes_nothing_down(tmp_path: Path, text: str) -> None:
    (tmp_path / supplied.LIST_NAME).write_text(text)
    assert ModelStore(tmp_path, fetch=False).spec("yunet").name == "yunet"


@pytest.mark.parametrize("pipeline", [LaionFace, OpenFaceEmbedding, LaionVoice], ids=lambda p: p.info.name)
def test_a_pipeline_without_its_files_says_what_is_missing(
    tmp_path: Path, pipeline: type[LaionFace | OpenFaceEmbedding | LaionVoice]
) -> None:
    usable, reason = pipeline.available(ModelStore(tmp_path))
    assert usable is False
    first = next(iter(pipeline.brought))
    assert reason is not None
    assert f"`frameloom models supply {first} FILE`" in reason
