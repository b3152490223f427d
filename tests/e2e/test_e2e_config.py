"""A job's configuration on its whole way: judged at the door, given to the pipeline, told in the result."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from frameloom.common.registry import registry
from frameloom.worker.models.store import ModelStore
from frameloom.worker.pipelines import load_pipelines
from support.deployment import Deployment, form

ONE_SECOND_CUT = {"min_scene_length": 0}


async def scenes(deployment: Deployment, video: Path, pipelines: str, config: Any) -> dict[str, Any]:
    """The scene file of a job."""
    job_id = await deployment.submit(video, pipelines, json.dumps(config))
    job = await deployment.ended(job_id)
    assert job["status"] == "completed", job["error_message"]
    results = await deployment.get(f"/api/v1/jobs/{job_id}/results")
    return await deployment.get(results["pipeline_results"]["scene_detection"]["download_url"])


async def judged(deployment: Deployment, path: str, body: Any) -> dict[str, Any]:
    async with deployment.http.post(f"{deployment.base_url}/api/v1/{path}", json=body) as answer:
        assert answer.status == 200, await answer.text()
        return dict(await answer.json())


async def test_two_thresholds_give_two_results(shared: Deployment, video: Path) -> None:
    low = await scenes(shared, video, "scene_detection", {**ONE_SECOND_CUT, "threshold": 30})
    high = await scenes(shared, video, "scene_detection", {**ONE_SECOND_CUT, "threshold": 100})
    assert (len(low["scenes"]), len(high["scenes"])) == (2, 1)
    for found, threshold in ((low, 30), (high, 100)):
        used = found["info"]["provenance"]["config"]
        assert (used["threshold"], used["min_scene_length"]) == (threshold, 0)
        assert used["detector"] == "content", "the defaults of what was not set are told too"


async def test_a_section_under_an_alias_reaches_its_pipeline(shared: Deployment, video: Path) -> None:
    config = {"Scene": {**ONE_SECOND_CUT, "threshold": 100}, "gated": {"rows_per_frame": 2}}
    job_id = await shared.submit(video, "SCENE,gated,scene_detection", json.dumps(config))
    job = await shared.ended(job_id)
    assert (job["status"], job["selected_pipelines"]) == ("completed", ["scene_detection", "gated"])
    assert job["config"] == {"scene_detection": config["Scene"], "gated": config["gated"]}
    _, tasks = await shared.documents(job_id)
    assert {task.pipeline: task.config for task in tasks} == job["config"]
    results = (await shared.get(f"/api/v1/jobs/{job_id}/results"))["pipeline_results"]
    assert results["scene_detection"]["annotation_count"] == 1
    assert results["gated"]["annotation_count"] == 20


async def test_a_wrong_value_is_refused_with_its_items(shared: Deployment, video: Path) -> None:
    config = {"scene": {"threshold": 101, "min_scene_length": "long", "detektor": "x"}}
    body = {"config": config, "selected_pipelines": ["scene_detection"]}
    verdict = await judged(shared, "config/validate", body)
    assert verdict["valid"] is False
    assert {item["field"]: item["code"] for item in verdict["errors"]} == {
        "scene_detection.threshold": "VALUE_OUT_OF_RANGE",
        "scene_detection.min_scene_length": "INVALID_TYPE",
    }
    assert verdict["warnings"][0]["suggestion"] == "Did you mean 'detector'?"
    data = form(video, "scene_detection", json.dumps(config), None)
    async with shared.http.post(f"{shared.base_url}/api/v1/jobs/", data=data) as answer:
        told = await answer.json()
    assert (answer.status, told["error"]["code"]) == (400, "INVALID_CONFIG")
    assert told["error"]["message"].startswith("Configuration validation failed: scene_detection: ")
    assert told["error"]["detail"]["errors"] == verdict["errors"]


async def test_what_is_only_worth_a_warning_is_in_the_first_event(shared: Deployment, video: Path) -> None:
    job_id = await shared.submit(video, "scene_detection", json.dumps({"treshold": 3}))
    job, _ = await shared.documents(job_id)
    (warning,) = job.events[0].data["warnings"]
    assert (warning["field"], warning["pipeline"]) == ("scene_detection.treshold", "scene_detection")
    assert (await shared.ended(job_id))["status"] == "completed"


@pytest.mark.parametrize("name", registry())
async def test_every_known_pipeline_is_shown_and_judged(shared: Deployment, name: str) -> None:
    shown = await shared.get(f"/api/v1/pipelines/{name}")
    runs_here = name in load_pipelines() and load_pipelines()[name].available(ModelStore())[0]
    assert (shown["enabled"], shown["unavailable_reason"] is None) == (runs_here, runs_here)
    schema = await shared.get(f"/api/v1/pipelines/{name}/schema")
    assert {one["name"] for one in schema["parameters"]} == set(shown["config_schema"])
    defaults = {key: part["default"] for key, part in shown["config_schema"].items()}
    assert set(registry()[name].config_schema["properties"]) <= set(defaults)
    verdict = await judged(shared, f"pipelines/{name}/validate", {"config": defaults})
    assert (verdict["valid"], verdict["errors"]) == (True, [])
    kinds = {key: part["type"] for key, part in shown["config_schema"].items()}
    misfits = {key: {} if kind == "array" else [] for key, kind in kinds.items()}
    wrong = await judged(shared, f"pipelines/{name}/validate", {"config": misfits})
    assert {item["field"] for item in wrong["errors"]} == {f"{name}.{key}" for key in defaults}
    assert wrong["valid"] is False
