"""Plug-ins in a whole installation: a package of others is run, broken ones are shown with their reason."""

from __future__ import annotations

import os
from pathlib import Path

from support.deployment import SERVICES, Deployment
from support.plugins import EXAMPLE, FAULTS, install, install_broken, listed_as


async def test_an_installed_plug_in_runs_beside_broken_ones(
    deployment: Deployment, video: Path, tmp_path: Path
) -> None:
    sites = [install(EXAMPLE, tmp_path / "good"), install_broken(tmp_path / "bad")]
    deployment.environment["PYTHONPATH"] = os.pathsep.join(
        [*map(str, sites), deployment.environment["PYTHONPATH"]]
    )
    await deployment.start(*SERVICES)
    await deployment.ready()
    told = {one["name"]: one for one in (await deployment.get("/api/v1/pipelines"))["pipelines"]}
    assert told["brightness"]["enabled"]
    assert told["scene_detection"]["enabled"]
    for name, (_, fault) in FAULTS.items():
        entry = told[listed_as(name)]
        assert not entry["enabled"]
        assert fault in entry["unavailable_reason"]
    job_id = await deployment.submit(video, "brightness,scene_detection", '{"brightness": {"pps": 10}}')
    job = await deployment.ended(job_id)
    assert job["status"] == "completed", job["error_message"]
    results = (await deployment.get(f"/api/v1/jobs/{job_id}/results"))["pipeline_results"]
    document = await deployment.get(results["brightness"]["download_url"])
    assert len(document["samples"]) == results["brightness"]["annotation_count"] == 10
    assert document["info"]["provenance"]["pipeline_version"] == "1.0.0"
