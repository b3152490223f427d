"""The store against real wheels and the real pip; the index is a folder, so no network is needed."""

from __future__ import annotations

import hashlib
import os
import pickle
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from frameloom.worker.models import ModelSpec, ModelStore, ModelUnavailableError, PackageSource
from frameloom.worker.models.__main__ import main
from frameloom.worker.models.catalogue import CATALOGUE
from frameloom.worker.models.store import DIRECTORY_VARIABLE, default_directory

CONTENT = {"weights/big.bin": b"big weights" * 1000, "weights/small.bin": b"small weights"}


def spec(name: str, member: str, **changes: object) -> ModelSpec:
    content = CONTENT.get(member, b"")
    made = ModelSpec(
        name=name,
        version="1",
        file_name=Path(member).name,
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        licence="MIT",
        source=PackageSource("framelab-weights", "1.0", member),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


BIG, SMALL = spec("big", "weights/big.bin"), spec("small", "weights/small.bin")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package index of one wheel that holds two models."""
    folder = tmp_path / "index"
    folder.mkdir()
    info = "framelab_weights-1.0.dist-info"
    with zipfile.ZipFile(folder / "framelab_weights-1.0-py3-none-any.whl", "w") as wheel:
        for member, content in CONTENT.items():
            wheel.writestr(member, content)
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: framelab-weights\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    return folder


def test_one_download_serves_all_files_of_a_package(index: Path, tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "cache", [BIG, SMALL])
    assert not store.has("big")
    assert store.path("big").read_bytes() == CONTENT["weights/big.bin"]
    next(index.glob("*.whl")).unlink()
    assert store.path("small").read_bytes() == CONTENT["weights/small.bin"], "came along with the first"
    assert store.digest("small") == SMALL.sha256
    assert store.pull(["big", "small"]) == []
    leftovers = [p for p in (tmp_path / "cache").iterdir() if p.name.startswith(".fetch")]
    assert leftovers == []


def failure(store: ModelStore, name: str) -> ModelUnavailableError:
    with pytest.raises(ModelUnavailableError) as caught:
        store.path(name)
    assert not store.has(name)
    return caught.value


def test_a_file_with_another_digest_is_refused(index: Path, tmp_path: Path) -> None:
    error = failure(ModelStore(tmp_path / "cache", [replace(BIG, sha256="0" * 64)]), "big")
    assert error.category == "provider_terminal"
    assert "sha256" in error.message


def test_a_package_without_the_file_is_refused(index: Path, tmp_path: Path) -> None:
    error = failure(ModelStore(tmp_path / "cache", [spec("other", "weights/other.bin")]), "other")
    assert error.category == "provider_terminal"
    assert "does not hold" in error.message


def test_no_such_package(index: Path, tmp_path: Path) -> None:
    source = PackageSource("framelab-weights", "9.9", "weights/big.bin")
    error = failure(ModelStore(tmp_path / "cache", [replace(BIG, source=source)]), "big")
    assert error.category == "provider_terminal"
    assert "framelab-weights==9.9" in error.message


def test_an_index_that_does_not_answer_is_worth_another_try(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # the discard port: nobody listens
    error = failure(ModelStore(tmp_path / "cache", [BIG]), "big")
    assert error.category == "provider_transient"
    assert pickle.loads(pickle.dumps(error)).message == error.message


def test_fetching_can_be_forbidden(index: Path, tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "cache", [BIG], fetch=False)
    assert not store.can_provide("big")
    assert failure(store, "big").category == "provider_terminal"
    ModelStore(tmp_path / "cache", [BIG]).pull(["big"])
    assert store.can_provide("big")
    assert store.path("big").exists()


def test_unknown_names(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailableError, match="no model"):
        ModelStore(tmp_path, []).path("x")


def test_a_half_written_or_changed_file_is_noticed(index: Path, tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "cache", [BIG, SMALL])
    path = store.path("big")
    path.write_bytes(b"x" * BIG.size_bytes)
    assert store.verify() == {"big": False, "small": True}
    path.write_bytes(b"x")
    assert not store.has("big")
    assert store.path("big").read_bytes() == CONTENT["weights/big.bin"]


def test_an_unwritable_cache_is_told(index: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ModelUnavailableError) as caught:
        ModelStore(tmp_path / "file" / "cache", [BIG]).path("big")
    assert caught.value.category == "storage_error"


def test_two_processes_at_once(index: Path, tmp_path: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[2]); "
        "from pathlib import Path; import test_models_store as t; "
        "from frameloom.worker.models import ModelStore; "
        "print(len(ModelStore(Path(sys.argv[1]), [t.BIG, t.SMALL]).pull(['big', 'small'])))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "cache"), str(Path(__file__).parent)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    counts = sorted(int(process.communicate(timeout=60)[0].splitlines()[-1]) for process in both)
    assert counts == [0, 2], "one fetched, the other waited for it"


def load_bytes(path: Path) -> bytearray:
    return bytearray(path.read_bytes())


def test_a_model_is_loaded_once_per_process(index: Path, tmp_path: Path) -> None:
    first, second = (ModelStore(tmp_path / "cache", [BIG, SMALL]) for _ in range(2))
    model = first.load("big", load_bytes)
    assert second.load("big", load_bytes) is model
    assert first.load("big", load_bytes, options=("half",)) is not model
    assert first.load("small", load_bytes) is not model


def test_plug_ins_add_their_own_models(tmp_path: Path) -> None:
    store = ModelStore(tmp_path, [BIG])
    store.register(SMALL, BIG)
    assert {s.name for s in store.specs} == {"big", "small"}
    with pytest.raises(ValueError, match="another file"):
        store.register(replace(SMALL, sha256="1" * 64))


def test_the_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(DIRECTORY_VARIABLE, str(tmp_path / "m"))
    assert default_directory() == tmp_path / "m"
    monkeypatch.delenv(DIRECTORY_VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "c"))
    assert default_directory().parts[-2:] == ("frameloom", "models")


def test_the_catalogue_is_pinned_in_full() -> None:
    assert len({s.name for s in CATALOGUE}) == len(CATALOGUE)
    for entry in CATALOGUE:
        assert len(entry.sha256) == 64
        assert entry.size_bytes > 0
        assert entry.licence


def test_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["--dir", str(tmp_path), "list"]) == 0
    listing = capsys.readouterr().out
    assert "yunet" in listing
    assert " yes " not in listing
    assert main(["--dir", str(tmp_path), "verify"]) == 0
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert main(["--dir", str(tmp_path), "pull", "yunet"]) == 1
    assert capsys.readouterr().err.startswith("error: ")


@pytest.mark.models
def test_samples_and_models_of_the_catalogue(
    fetched, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    required = [s.name for s in CATALOGUE if not s.optional]
    store = fetched(*required)
    states = store.verify()
    assert all(states[name] for name in required)
    assert main(["sample", "single-face", "--out", str(tmp_path)]) == 0
    copy = Path(capsys.readouterr().out.strip())
    assert hashlib.sha256(copy.read_bytes()).hexdigest() == store.digest("single-face")
