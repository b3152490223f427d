"""Results of a real job, drawn by the command: video and files come out of the server's ZIP."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

from support.deployment import Deployment


async def test_a_job_is_drawn_from_what_the_server_has(
    shared: Deployment, video: Path, tmp_path: Path
) -> None:
    job_id = await shared.submit(video, "scene_detection", '{"scene_detection": {"min_scene_length": 0}}')
    assert (await shared.ended(job_id))["status"] == "completed"
    film, sheet = tmp_path / "film.mp4", tmp_path / "sheet.png"
    words = [
        "render",
        "--job",
        job_id,
        "--server",
        shared.base_url,
        "--out",
        film,
        "--sheet",
        sheet,
        "--json",
    ]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "frameloom.client.cli",
        *map(str, words),
        env={**os.environ, "FRAMELOOM_API_KEY": shared.api_key},
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(90):
        out, _ = await process.communicate()
    assert process.returncode == 0
    document = json.loads(out)
    assert document["film"]["frames"] == 10
    assert document["drawn"] == {"scenes": 2}, document
    assert document["sheet"]["pictures"] == 2
    assert film.stat().st_size > 1000
    assert sheet.read_bytes().startswith(b"\x89PNG")
