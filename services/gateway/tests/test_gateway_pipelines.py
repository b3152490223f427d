"""The catalogue over the API: what is known, what can run, and what a form needs of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from gateway_kit import Gateway, form
from jsonschema import Draft202012Validator

from frameloom.common.documents import Liveness, Service
from frameloom.common.registry import registry


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with Gateway().running() as made:
        yield made


async def test_only_what_a_live_worker_runs_is_enabled(gateway: Gateway) -> None:
    _, body = await gateway.get("/api/v1/pipelines/")
    told = {entry["name"]: entry["unavailable_reason"] for entry in body["pipelines"]}
    assert list(told) == sorted({*registry(), "broken"})
    assert body["total"] == 10
    assert {entry["name"] for entry in body["pipelines"] if entry["enabled"]} == {"scene_detection"}
    assert told["scene_detection"] is None
    assert told["broken"] == "its model is missing"
    assert told["face_analysis"] == "no live worker runs it"
    assert told["person_tracking"] == "no worker has offered it yet"
    draining = {"pipelines": ("scene_detection",), "liveness": Liveness.DRAINING}
    await gateway.announce("worker", Service.WORKER, **draining)
    _, one = await gateway.get("/api/v1/pipelines/scene_detection")
    assert one["enabled"] is False
    assert one["config_schema"]["threshold"]["maximum"] == 100


async def test_an_unknown_one_is_a_404(gateway: Gateway) -> None:
    for path in ("zz", "zz/schema", "schema/zz", "catalog"):
        status, body = await gateway.get(f"/api/v1/pipelines/{path}")
        assert (status, body["error"]["code"]) == (404, "PIPELINE_NOT_FOUND")
        assert body["error"]["hint"]


async def test_one_may_be_named_by_an_alias(gateway: Gateway) -> None:
    for name in ("scene", "Scene_Plain", "SCENE_DETECTION", "scene_pyscenedetect-clip"):
        _, one = await gateway.get(f"/api/v1/pipelines/{name}")
        assert one["name"] == "scene_detection"
    assert one["aliases"] == ["scene", "scene_plain", "scene_pyscenedetect_clip"]


async def test_what_an_offer_lacks_is_shown_with_its_only_value(gateway: Gateway) -> None:
    _, one = await gateway.get("/api/v1/pipelines/scene_detection")
    assert one["config_schema"]["min_scene_length"]["const"] == 1.0
    assert one["version"] == "1.0"
    _, other = await gateway.get("/api/v1/pipelines/person_tracking")
    assert other["version"] is None
    assert other["config_schema"]["conf_threshold"] == {
        "type": "float", "default": 0.4, "minimum": 0, "maximum": 1,
        "description": "Least score of a person.",
    }  # fmt: skip


async def test_a_worker_that_fell_silent_is_named_with_its_time(gateway: Gateway) -> None:
    await gateway.announce("faces", Service.WORKER, pipelines=("face_analysis",))
    gateway.clock.advance(60)
    _, one = await gateway.get("/api/v1/pipelines/face_analysis")
    assert one["enabled"] is False
    assert "its last worker was seen at 20" in one["unavailable_reason"]


async def test_one_worker_that_can_not_does_not_disable_what_another_runs(gateway: Gateway) -> None:
    await gateway.announce("able", Service.WORKER, pipelines=("broken",))
    _, one = await gateway.get("/api/v1/pipelines/broken")
    assert (one["enabled"], one["unavailable_reason"]) == (True, None)
    status, _ = await gateway.post(form(fields={"selected_pipelines": "broken"}))
    assert status == 201


@pytest.mark.parametrize("path", ["scene/schema", "schema/scene_detection"])
async def test_the_parameters_for_a_form(gateway: Gateway, path: str) -> None:
    status, body = await gateway.get(f"/api/v1/pipelines/{path}")
    assert status == 200
    assert body["pipeline"]["id"] == "scene_detection"
    threshold = next(one for one in body["parameters"] if one["name"] == "threshold")
    assert threshold == {
        "name": "threshold", "type": "number", "label": "Threshold", "description": "Cut",
        "required": False, "default": 30.0, "nullable": False, "min": 0.0, "max": 100.0,
    }  # fmt: skip
    Draft202012Validator.check_schema(body["json_schema"])
    assert body["json_schema"]["properties"]["threshold"]["maximum"] == 100


async def test_every_known_pipeline_has_parameters(gateway: Gateway) -> None:
    for name in registry():
        status, body = await gateway.get(f"/api/v1/pipelines/{name}/schema")
        assert status == 200
        _, shown = await gateway.get(f"/api/v1/pipelines/{name}")
        assert {one["name"] for one in body["parameters"]} == set(shown["config_schema"])
        assert all("default" in one for one in body["parameters"])
