"""The Dockerfile and what belongs to it, checked without an engine."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
DOCKERFILE = DEPLOY / "docker" / "Dockerfile"
SERVICES = {
    "gateway": "gateway",
    "scheduler": "scheduler",
    "results": "results",
    "worker": "pipeline-worker",
    "worker-gpu": "pipeline-worker",
}


def stages() -> dict[str, list[str]]:
    """The instructions of each stage of the Dockerfile, continued lines joined."""
    text = re.sub(r"^\s*#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE)
    found: dict[str, list[str]] = {"": []}
    current = ""
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        if match := re.fullmatch(r"FROM (\S+) AS (\S+)", line):
            current = match[2]
            found[current] = [f"FROM {match[1]}"]
        elif line.strip():
            found[current].append(line)
    return found


@pytest.mark.parametrize("service", SERVICES)
def test_image_starts_the_command_of_its_member(service: str) -> None:
    build = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"][service]["build"]
    assert (ROOT / build["dockerfile"]) == DOCKERFILE
    project = tomllib.loads((ROOT / "services" / SERVICES[service] / "pyproject.toml").read_text())["project"]
    (script,) = project["scripts"]
    stage = stages()[build["target"]]
    assert stage[0] == "FROM runtime"
    assert stage[-1] == f'CMD ["{script}"]'
    third_party, ours = (line.split()[-1] for line in stage if line.startswith("COPY"))
    assert (third_party, ours) == ("/opt/venv", "/opt/frameloom")


def test_images_run_as_an_ordinary_user_on_a_pinned_base() -> None:
    found = stages()
    assert found["runtime"][-1] == "USER 10001:10001"
    assert not any(
        line.startswith("USER") for name, lines in found.items() for line in lines if name != "runtime"
    )
    assert re.fullmatch(r"ARG PYTHON_IMAGE=python:3\.\d+-slim-\w+", found[""][0])


def test_what_the_build_copies_exists_and_passes_the_ignore_file() -> None:
    allowed = {
        line[1:]
        for line in (DEPLOY / "docker" / "Dockerfile.dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    for lines in stages().values():
        for line in lines:
            if not line.startswith("COPY") or "--from=" in line:
                continue
            for source in line.split()[1:-1]:
                assert (ROOT / source).exists(), source
                assert any(source == entry or source.startswith(f"{entry}/") for entry in allowed), source


def test_third_party_layer_holds_all_that_a_member_needs() -> None:
    script = DEPLOY / "docker" / "requirements.py"
    for member in ("gateway", "scheduler", "results", "pipeline-worker"):
        project = tomllib.loads((ROOT / "services" / member / "pyproject.toml").read_text())["project"]
        common = tomllib.loads((ROOT / "libs" / "common" / "pyproject.toml").read_text())["project"]
        printed = subprocess.run(
            [sys.executable, script, f"services/{member}"], check=True, capture_output=True, text=True
        ).stdout.splitlines()
        wanted = {*project["dependencies"], *common["dependencies"]} - {"frameloom-common"}
        assert set(printed) == wanted
