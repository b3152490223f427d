"""A file made of two pipelines' rows: one of it, whichever of the two ends first."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from support.deployment import Deployment

SUFFIX = "_heads_of_bodies.json"


@pytest.mark.parametrize("pipelines", ["heads,bodies", "bodies,heads"])
async def test_faces_and_persons_of_one_job(shared: Deployment, video: Path, pipelines: str) -> None:
    job_id = await shared.submit(video, pipelines)
    job = await shared.ended(job_id)
    assert job["status"] == "completed"
    results = (await shared.get(f"/api/v1/jobs/{job_id}/results"))["pipeline_results"]
    files = [file for result in results.values() for file in result["files"]]
    (joined,) = [file for file in files if file["filename"].endswith(SUFFIX)]
    assert len(files) == 3
    async with (
        asyncio.timeout(30),
        shared.http.get(shared.base_url + joined["download_url"]) as answer,
    ):
        assert answer.status == 200
        document = await answer.json()
    rows = document["annotations"]
    assert len(rows) >= 5
    assert {(row["track_id"], row["person_id"], row["person_label"]) for row in rows} == {(1, "p1", "parent")}
    assert document["links"][0]["frames"] == len(rows)
    assert document["info"]["provenance"]["pipeline"] == "heads"
    assert document["info"]["bodies_provenance"]["pipeline"] == "bodies"


async def test_alone_there_is_no_such_file(shared: Deployment, video: Path) -> None:
    job_id = await shared.submit(video, "heads")
    assert (await shared.ended(job_id))["status"] == "completed"
    results = (await shared.get(f"/api/v1/jobs/{job_id}/results"))["pipeline_results"]
    assert [file["filename"][-11:] for file in results["heads"]["files"]] == ["_heads.json"]
