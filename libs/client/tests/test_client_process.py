"""The command as a process of its own: signals, pipes, start-up."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "frameloom.client.cli"]
NEEDLESS = {"httpx", "pydantic", "rich.progress", "frameloom.client.models", "frameloom.local", "asyncio"}

STACK = """
import os, urllib.request
from dataclasses import dataclass
from pathlib import Path

@dataclass
class UpOptions:
    data: Path
    port: int = 0
    workers: int = 1
    quiet: bool = False

class Stack:
    def __init__(self, options):
        self.base_url = os.environ["TEST_GATEWAY"]
        self.api_key = "va_of_the_stack"
        self.log = options.data / "stack"
        options.data.mkdir(parents=True)

    async def failed(self):
        import asyncio
        await asyncio.Event().wait()

    async def __aenter__(self):
        self.log.write_text("up")
        return self

    async def __aexit__(self, *failure):
        self.log.write_text("down")
"""


def _environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONUNBUFFERED": "1", **more}


def _start(*args: object, **more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=_environment(**more),
    )


def _wait_for(found, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


@pytest.fixture
def held(gateway):
    """The gateway keeps jobs from ending until the test is over."""
    gateway.faults.gate = threading.Event()
    yield gateway
    gateway.faults.gate.set()


def _watched(gateway) -> bool:
    return any(job["status"] == "running" for job in gateway.jobs.values())


@pytest.fixture
def stack(tmp_path, held) -> dict[str, str]:
    """An embedded stack whose gateway is the one on loopback, installed for a child process."""
    package = tmp_path / "site" / "frameloom" / "local"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "up.py").write_text(STACK)
    # The stand-in hides that one part; the others come from where they are tested.
    paths = [str(tmp_path / "site"), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"PYTHONPATH": os.pathsep.join(paths), "TEST_GATEWAY": held.url}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_watch_leaves_the_job_and_says_how_to_come_back(held, number):
    held.add_job("a.mp4", ["face_analysis"])
    child = _start("watch", "job-1", "--server", held.url)
    _wait_for(lambda: _watched(held))
    child.send_signal(number)
    out, err = child.communicate(timeout=20)
    assert child.returncode == 130
    assert "frameloom watch job-1" in err
    assert "Traceback" not in err
    assert out == ""
    assert held.cancelled == []


def test_an_interrupted_annotate_on_a_server_leaves_the_job(held, video, tmp_path):
    child = _start("annotate", video, "-o", tmp_path / "out", "--server", held.url)
    _wait_for(lambda: _watched(held))
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=20)
    assert child.returncode == 130
    assert "frameloom results job-1 --out" in err
    assert held.cancelled == []


def test_an_interrupted_embedded_annotate_cancels_and_stops_the_stack(held, stack, video, tmp_path):
    child = _start("annotate", video, "-o", tmp_path / "out", "--data", tmp_path / "data", **stack)
    _wait_for(lambda: _watched(held))
    assert (tmp_path / "data" / "stack").read_text() == "up"
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=20)
    assert child.returncode == 130, err
    assert "Traceback" not in err
    assert held.cancelled == ["job-1"]
    assert (tmp_path / "data" / "stack").read_text() == "down"


def test_an_embedded_annotate_ends_with_the_stack(held, stack, video, tmp_path):
    held.faults.gate.set()
    child = _start("annotate", video, "-o", tmp_path / "out", "--data", tmp_path / "data", **stack)
    _, err = child.communicate(timeout=20)
    assert child.returncode == 0, err
    assert (tmp_path / "data" / "stack").read_text() == "down"
    assert len(list((tmp_path / "out").iterdir())) == 2
    assert {headers["Authorization"] for _, _, headers in held.seen} == {"Bearer va_of_the_stack"}


def test_keep_leaves_the_stack_up_until_interrupted(held, stack, video, tmp_path):
    held.faults.gate.set()
    child = _start("annotate", video, "-o", tmp_path / "o", "--data", tmp_path / "data", "--keep", **stack)
    assert child.stderr is not None
    for line in child.stderr:
        if "until Ctrl-C" in line:
            break
    assert (tmp_path / "data" / "stack").read_text() == "up"
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=20)
    assert child.returncode == 130
    assert (tmp_path / "data" / "stack").read_text() == "down"
    assert held.cancelled == []


def test_a_stack_that_explains_why_it_does_not_start_is_believed(stack, video, tmp_path):
    up = Path(stack["PYTHONPATH"].split(os.pathsep)[0]) / "frameloom" / "local" / "up.py"
    raising = "class Bad(Exception):\n    code = 'IN_USE'\n    hint = 'End the other'\n"
    up.write_text(raising + STACK.replace('self.log.write_text("up")', "raise Bad('Another one runs')"))
    child = _start("annotate", video, "-o", tmp_path / "out", "--data", tmp_path / "data", **stack)
    _, err = child.communicate(timeout=20)
    assert child.returncode == 3
    assert err.endswith("error: The embedded stack did not start: Another one runs\nhint: End the other\n")


def test_a_reader_that_leaves_early_is_no_fault(gateway):
    for number in range(50):
        gateway.add_job(f"{number}.mp4", ["face_analysis"])
    line = (
        f"{sys.executable} -m frameloom.client.cli jobs --per-page 50 --json --server {gateway.url} | head -1"
    )
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        capture_output=True,
        text=True,
        env=_environment(),
        timeout=20,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "{\n", "")


COMPAT = [sys.executable, "-m", "frameloom.client.compat"]


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    "line",
    [
        [*COMMAND, "--help"],
        [*COMMAND, "--version"],
        [*COMMAND, "jobs", "--help"],
        [*COMMAND, "pipelines"],
        [*COMPAT, "--help"],
        [*COMPAT, "info"],
        [*COMPAT, "pipelines", "--json"],
        [*COMPAT, "job", "list"],
    ],
    ids=lambda line: " ".join(line[2:]),
)
def test_nobody_reads_the_output_and_the_command_ends_quietly(gateway, line, unbuffered):
    reading, writing = os.pipe()
    os.close(reading)
    environment = {"PYTHONUNBUFFERED": unbuffered, "FRAMELOOM_SERVER": gateway.url}
    done = subprocess.run(
        line,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        env=_environment(**environment),
        timeout=20,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_fault_that_nobody_reads_about_still_tells_by_its_exit_code():
    reading, writing = os.pipe()
    os.close(reading)
    for json_or_not in ([], ["--json"]):
        line = [*COMMAND, "jobs", "--server", "http://127.0.0.1:9", *json_or_not]
        done = subprocess.run(line, stdout=writing, stderr=writing, timeout=20, check=False)
        assert done.returncode == 3
    os.close(writing)


def test_an_output_without_unicode_is_written_all_the_same(gateway):
    gateway.add_job("été.mp4", ["face_analysis"])
    child = _start("jobs", "--server", gateway.url, PYTHONIOENCODING="ascii")
    out, err = child.communicate(timeout=20)
    assert child.returncode == 0, err
    assert "?t?.mp4" in out


@pytest.mark.parametrize(
    ("args", "needless"),
    # typer itself takes pydantic to read the types of a command's parameters.
    [(["--help"], NEEDLESS), (["--version"], NEEDLESS), (["annotate", "--help"], NEEDLESS - {"pydantic"})],
)
def test_help_loads_nothing_that_it_does_not_need(args, needless):
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "frameloom.client.cli", *args],
        capture_output=True,
        text=True,
        env=_environment(),
        check=True,
        timeout=20,
    )
    loaded = set(re.findall(r"\|\s+([\w.]+)$", done.stderr, re.MULTILINE))
    assert "typer" in loaded
    assert not loaded & needless


def test_the_epilog_and_the_exit_codes_of_the_page_agree():
    page = Path(__file__).parents[3] / "docs" / "cli.md"
    codes = {int(code) for code in re.findall(r"^\| `(\d+)` \|", page.read_text(), re.MULTILINE)}
    from frameloom.client.errors import ExitCode

    assert codes == {int(code) for code in ExitCode}


def test_json_of_a_killed_server_is_an_error_document(gateway, video):
    child = _start("submit", video, "--server", "http://127.0.0.1:9", "--json")
    out, _ = child.communicate(timeout=20)
    assert child.returncode == 3
    assert json.loads(out)["error"]["code"] == "SERVER_UNREACHABLE"
