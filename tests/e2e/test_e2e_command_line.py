"""The ``frameloom`` command as a user runs it: the stack up and down, a video to files, clear faults."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from support.deployment import Deployment

FRAMELOOM = str(Path(sys.executable).with_name("frameloom"))
READY_SECONDS = 90.0


class Up:
    """A running ``frameloom up``."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    @classmethod
    async def start(cls, data: Path, *options: str, **environment: str) -> Up:
        process = await asyncio.create_subprocess_exec(
            FRAMELOOM,
            "up",
            "--data",
            str(data),
            "--port",
            "0",
            *options,
            stdout=asyncio.subprocess.PIPE,
            stderr=(data.parent / f"{data.name}.err").open("ab"),
            env=clean(**environment),
        )
        return cls(process)

    async def lines_until_ready(self) -> list[str]:
        """Standard output up to and with the line that begins with ``ready``."""
        assert self.process.stdout is not None
        lines: list[str] = []
        async with asyncio.timeout(READY_SECONDS):
            while not lines or not lines[-1].startswith("ready"):
                raw = await self.process.stdout.readline()
                assert raw, f"ended before it was ready: {lines}"
                lines.append(raw.decode().rstrip())
        return lines

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    async def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        async with asyncio.timeout(60):
            return await self.process.wait()


def clean(**changes: str) -> dict[str, str]:
    """This environment without any setting of ours."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("FRAMELOOM_")}
    if "FRAMELOOM_MODEL_DIR" in os.environ:
        kept["FRAMELOOM_MODEL_DIR"] = os.environ["FRAMELOOM_MODEL_DIR"]
    return {**kept, **changes}


async def ran(*arguments: str, **environment: str) -> tuple[int, str, str]:
    """Runs the command to its end; exit code, standard output and error."""
    process = await asyncio.create_subprocess_exec(
        FRAMELOOM,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=clean(**environment),
    )
    async with asyncio.timeout(110):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_up_serves_stops_and_keeps_its_data(
    tmp_path: Path, video: Path, number: signal.Signals
) -> None:
    up = await Up.start(tmp_path / "data")
    (ready,) = await up.lines_until_ready()
    url = ready.removeprefix("ready ")
    key = (tmp_path / "data" / "api-key").read_text().strip()
    assert key in (tmp_path / "data.err").read_text()
    code, out, err = await ran(
        "annotate", str(video), "--pipelines", "scene_detection", "--out", str(tmp_path / "out"),
        "--server", url, "--json", FRAMELOOM_API_KEY=key,
    )  # fmt: skip
    assert code == 0, err
    assert json.loads(out.splitlines()[-1])
    written = json.loads((tmp_path / "out" / "tiny clip_scene_detection.json").read_text())
    assert len(written["scenes"]) == 1 or len(written["scenes"]) == 2
    children = up.children()
    assert len(children) >= 7
    assert await up.end(number) == 0
    assert not [child for child in children if child.is_running()]

    up = await Up.start(tmp_path / "data")
    (ready,) = await up.lines_until_ready()
    code, out, err = await ran(
        "jobs", "--server", ready.removeprefix("ready "), "--json", FRAMELOOM_API_KEY=key
    )
    assert code == 0, err
    (job,) = json.loads(out)["jobs"]
    assert job["status"] == "completed"
    code, _, err = await ran(
        "results", job["id"], "--out", str(tmp_path / "again"), "--server", ready.removeprefix("ready "),
        FRAMELOOM_API_KEY=key,
    )  # fmt: skip
    assert code == 0, err
    assert json.loads((tmp_path / "again" / "tiny clip_scene_detection.json").read_text()) == written
    assert await up.end(number) == 0


async def test_only_servers_prints_what_services_need(tmp_path: Path) -> None:
    up = await Up.start(tmp_path / "data", "--only", "servers")
    lines = await up.lines_until_ready()
    named = {line.removeprefix("export ").split("=")[0] for line in lines if line.startswith("export ")}
    assert {"FRAMELOOM_KAFKA_BOOTSTRAP_SERVERS", "FRAMELOOM_MONGO_URI", "FRAMELOOM_S3_ENDPOINT"} <= named
    assert len(up.children()) >= 3
    assert await up.end(signal.SIGTERM) == 0


async def test_up_gives_up_with_the_reason(tmp_path: Path) -> None:
    up = await Up.start(tmp_path / "data", FRAMELOOM_WORKER_PIPELINES="no_such_pipeline")
    async with asyncio.timeout(READY_SECONDS):
        assert await up.process.wait() != 0
    told = (tmp_path / "data.err").read_text()
    assert "error: " in told
    assert "worker" in told
    assert "No such pipeline: no_such_pipeline" in told


async def test_annotate_without_a_server_brings_its_own(tmp_path: Path, video: Path) -> None:
    code, out, err = await ran(
        "annotate", str(video), "--pipelines", "scene_detection", "--out", str(tmp_path / "out"),
        "--data", str(tmp_path / "data"),
    )  # fmt: skip
    assert code == 0, err
    assert "tiny clip_scene_detection.json" in out
    assert (tmp_path / "out" / "tiny clip_scene_detection.json").exists()


async def test_faults_are_one_line_and_a_hint(shared: Deployment, tmp_path: Path, video: Path) -> None:
    text = tmp_path / "letter.mp4"
    text.write_text("Dear Sir")
    cases = [
        (("annotate", str(tmp_path / "absent.mp4")), 2),
        (("submit", str(text)), 4),
        (("submit", str(video), "--pipelines", "nonsense"), 4),
        (("watch", "nobody"), 4),
    ]
    for arguments, expected in cases:
        code, out, err = await ran(
            *arguments, FRAMELOOM_SERVER=shared.base_url, FRAMELOOM_API_KEY=shared.api_key
        )
        assert code == expected, (arguments, code, err)
        assert out == ""
        assert "Traceback" not in err
        assert "error: " in err.lower()
    code, _, err = await ran("jobs", "--server", "http://127.0.0.1:9")
    assert code == 3
    assert err.startswith("error: ")
