"""``frameloom models``: the worker's command in a process of its own, or a word that there is no worker."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from frameloom.client.cli import app

COMMAND = [sys.executable, "-m", "frameloom.client.cli", "models"]
WORKER = """
import json, sys
print(json.dumps(sys.argv[1:]))
sys.exit(3)
"""


@pytest.fixture
def worker(tmp_path: Path) -> dict[str, str]:
    """The environment of a process in which the worker's part is one that tells what it was given."""
    package = tmp_path / "site" / "frameloom" / "worker" / "models"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").touch()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(WORKER)
    path = os.pathsep.join([str(tmp_path / "site"), *filter(None, sys.path)])
    return {**os.environ, "PYTHONPATH": path}


def given(worker: dict[str, str], *words: str) -> list[str]:
    done = subprocess.run([*COMMAND, *words], env=worker, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (3, ""), "the code of the process is ours"
    return json.loads(done.stdout)


def test_options_reach_the_worker(worker: dict[str, str], tmp_path: Path) -> None:
    assert given(worker, "list", "--json") == ["list", "--json"]
    words = ["pull", "--all", "--again", "--for", "face_analysis", "--dir", str(tmp_path), "yunet", "sface"]
    told = given(worker, *words)
    assert told[:3] == ["pull", "--dir", str(tmp_path)]
    assert sorted(told[3:7]) == ["--again", "--all", "--for", "face_analysis"]
    assert told[7:] == ["--", "yunet", "sface"]
    assert given(worker, "verify", "yunet") == ["verify", "--", "yunet"]


def test_without_a_worker_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "frameloom.worker" else find(name, *a)
    )
    done = CliRunner().invoke(app, ["models", "list", "--json"])
    assert done.exit_code == 5
    assert "error: No worker is installed here" in done.stderr
    assert "hint: " in done.stderr
    assert json.loads(done.stdout)["error"]["code"] == "CAPABILITY_MISSING"
