"""Plug-ins: the example is installed and run, and broken ones are listed with what is wrong with them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.plugins import EXAMPLE, FAULTS, install, install_broken, listed_as

TUTORIAL = Path(__file__).parents[2] / "docs" / "pipelines" / "writing.md"

OFFERS = """
import json
from pathlib import Path
from frameloom.worker.models import ModelStore
from frameloom.worker.pipelines.registry import load_pipelines, offer
offers = [offer(one, ModelStore(Path("nowhere"))) for one in load_pipelines().values()]
print(json.dumps({one.id: [one.available, one.reason] for one in offers}))
"""
RUN = """
import json, sys
from frameloom.worker.testing import annotate
found = annotate("brightness", sys.argv[1], {"pps": 1})
print(json.dumps(found.document("_brightness.json")))
"""


def python(code: str, site: Path, *words: object) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])}
    line = [sys.executable, "-c", code, *map(str, words)]
    return subprocess.run(line, env=env, capture_output=True, text=True, check=True, timeout=100)


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(EXAMPLE, tmp_path_factory.mktemp("site"))


def test_the_example_is_offered_once_it_is_installed(example: Path) -> None:
    offers = json.loads(python(OFFERS, example).stdout.splitlines()[-1])
    assert offers["brightness"] == [True, None]


def test_the_tests_of_the_example_pass_with_the_installed_package(example: Path) -> None:
    code = "import pytest, sys; sys.exit(pytest.main(sys.argv[1:]))"
    tests = ["-q", "-p", "no:cacheprovider", "--rootdir", EXAMPLE, EXAMPLE / "tests"]
    assert "4 passed" in python(code, example, *tests).stdout


def test_the_tutorial_works_word_by_word(tmp_path: Path) -> None:
    blocks = re.findall(r"```(python|toml)\n(.*?)```", TUTORIAL.read_text(encoding="utf-8"), re.DOTALL)
    (_, pipeline), (_, project), (_, test) = blocks[:3]
    package = tmp_path / "frameloom-brightness"
    for path, text in (
        ("src/frameloom_brightness/__init__.py", pipeline),
        ("pyproject.toml", project),
        ("tests/test_brightness.py", test),
    ):
        (package / path).parent.mkdir(parents=True, exist_ok=True)
        (package / path).write_text(text)
    site = install(package, tmp_path / "site")
    code = "import pytest, sys; sys.exit(pytest.main(sys.argv[1:]))"
    assert "1 passed" in python(code, site, "-p", "no:cacheprovider", package / "tests").stdout


@pytest.mark.models
def test_the_example_runs_over_a_real_clip(example: Path) -> None:
    from frameloom.worker.models import ModelStore

    document = json.loads(python(RUN, example, ModelStore().path("wolfgang")).stdout)
    times = [row["timestamp"] for row in document["samples"]]
    assert len(times) >= 15
    assert times == sorted(times)
    assert all(20 < row["value"] < 235 for row in document["samples"])


def test_broken_ones_are_listed_with_what_is_wrong_and_harm_nobody(tmp_path: Path) -> None:
    offers = json.loads(python(OFFERS, install_broken(tmp_path)).stdout.splitlines()[-1])
    assert offers["scene_detection"] == [True, None], "the one that was there first goes on"
    for name, (_, fault) in FAULTS.items():
        available, reason = offers[listed_as(name)]
        assert not available
        assert fault in reason
        assert f"plug-{name}".replace("_", "-") in reason.replace("_", "-")
        assert str(tmp_path) not in reason
