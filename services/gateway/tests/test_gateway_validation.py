"""Validation over the API, and that it and the submission judge alike."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from gateway_kit import Gateway, form, offer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from frameloom.common.registry import DEFAULT_PIPELINES, registry
from frameloom.gateway.settings import GatewaySettings

JOB = "/api/v1/config/validate"


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with Gateway().running() as made:
        yield made


def one(name: str) -> str:
    return f"/api/v1/pipelines/{name}/validate"


async def check(gateway: Gateway, path: str, body: Any) -> Any:
    async with gateway.client.post(path, json=body) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


async def test_a_valid_configuration(gateway: Gateway) -> None:
    body = await check(gateway, one("scene_detection"), {"config": {"threshold": 3}})
    assert body == {"valid": True, "errors": [], "warnings": [], "message": "Configuration is valid"}


async def test_errors_and_warnings_have_the_items_of_the_original(gateway: Gateway) -> None:
    config = {"threshold": 101, "threshhold": 1, "window": {}}
    body = await check(gateway, one("Scene"), {"config": config, "selected_pipelines": None})
    assert (body["valid"], body["message"]) == (False, "Configuration has 2 error(s)")
    assert [set(item) for item in body["errors"]] == [{"field", "message", "code", "hint"}] * 2
    assert {item["field"]: item["code"] for item in body["errors"]} == {
        "scene_detection.threshold": "VALUE_OUT_OF_RANGE",
        "scene_detection.window.seconds": "REQUIRED_FIELD_MISSING",
    }
    assert body["warnings"] == [
        {
            "field": "scene_detection.threshhold",
            "message": "Unknown field 'threshhold' will be ignored",
            "suggestion": "Did you mean 'threshold'?",
        }
    ]
    body = await check(gateway, one("scene"), {"config": {"zzz": 1}})
    assert (body["valid"], body["message"]) == (True, "Configuration is valid (1 warning(s))")


@pytest.mark.parametrize("name", registry())
async def test_every_pipeline_of_the_registry_can_be_validated(gateway: Gateway, name: str) -> None:
    schema = registry()[name].config_schema
    defaults = {key: part["default"] for key, part in schema["properties"].items()}
    for config in ({}, defaults, {name: defaults}):
        body = await check(gateway, one(name), {"config": config})
        assert (body["valid"], body["errors"]) == (True, [])
        body = await check(gateway, JOB, {"config": config, "selected_pipelines": [name]})
        assert (body["valid"], body["pipelines_validated"]) == (True, [name])
    body = await check(gateway, one(name), {"config": {key: [] for key in defaults}})
    wrong = {item["field"] for item in body["errors"]}
    assert wrong == {f"{name}.{key}" for key in defaults}


async def test_an_unknown_pipeline(gateway: Gateway) -> None:
    async with gateway.client.post(one("nope"), json={"config": {}}) as answer:
        assert answer.status == 404
        body = await answer.json()
    assert body["error"]["code"] == "PIPELINE_NOT_FOUND"
    selected = ["scene", "nope", "scene_detection"]
    body = await check(gateway, JOB, {"config": {"threshold": 500}, "selected_pipelines": selected})
    assert body["pipelines_validated"] == ["scene_detection", "nope"]
    assert [(item["pipeline"], item["code"]) for item in body["errors"]] == [
        ("nope", "PIPELINE_NOT_FOUND"),
        ("scene_detection", "VALUE_OUT_OF_RANGE"),
    ]
    assert body["errors"][0]["field"] == "pipeline"
    assert body["message"] == "Configuration has errors in 2 pipeline(s): nope, scene_detection"


async def test_thousands_of_unknown_pipelines_are_answered_shortly(gateway: Gateway) -> None:
    names = [f"nope_{number}" * 20 for number in range(2000)]
    body = await check(gateway, JOB, {"config": {}, "selected_pipelines": names})
    assert len(body["errors"]) == 100
    status, told = await gateway.post(form(fields={"selected_pipelines": ",".join(names)}))
    assert (status, told["error"]["code"]) == (400, "PIPELINE_NOT_FOUND")
    assert len(told["error"]["message"]) < 5000


async def test_a_job_configuration(gateway: Gateway) -> None:
    config = {"scene_detection": {"threshold": 3}, "Face": {"threshold": 101}}
    both = {"config": config, "selected_pipelines": ["scene_detection", "face_analysis"]}
    body = await check(gateway, JOB, both)
    (error,) = body["errors"]
    assert set(error) == {"field", "message", "code", "hint", "pipeline"}
    assert (error["field"], error["pipeline"]) == ("face_analysis.threshold", "face_analysis")
    assert body["message"] == "Configuration has errors in 1 pipeline(s): face_analysis"
    config["Face"]["threshold"] = 100
    body = await check(gateway, JOB, both)
    assert body["valid"] is True
    assert body["message"] == "Configuration is valid for all 2 pipeline(s) (1 warning(s) total)"
    assert body["warnings"][0]["field"] == "pipeline"
    assert "would wait: no live worker runs it" in body["warnings"][0]["message"]


@pytest.mark.parametrize("selected", [{}, {"selected_pipelines": None}, {"selected_pipelines": []}])
async def test_without_names_those_with_a_section_are_meant(gateway: Gateway, selected: Any) -> None:
    body = await check(gateway, JOB, {"config": {"face": {"threshold": 500}}, **selected})
    assert (body["pipelines_validated"], body["valid"]) == (["face_analysis"], False)
    body = await check(gateway, JOB, {"config": {"threshold": 500}, **selected})
    assert (body["pipelines_validated"], body["valid"]) == (["scene_detection"], False)


async def test_what_a_submission_would_refuse_is_warned_of(gateway: Gateway) -> None:
    for name, reason in (("broken", "its model is missing"), ("person_tracking", "no worker has offered")):
        body = await check(gateway, one(name), {"config": {}})
        assert body["valid"] is True
        assert f"would be refused: {reason}" in body["warnings"][0]["message"]


@pytest.mark.parametrize("path", [JOB, one("scene_detection")])
@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ("", 422),
        ("{", 422),
        ("[]", 422),
        ("{}", 422),
        ('{"config": []}', 422),
        ('{"config": "x"}', 422),
        ('{"config": null}', 422),
        ('{"config": {}, "selected_pipelines": "scene"}', 422),
        ('{"config": {}, "selected_pipelines": [1]}', 422),
        ('{"config": "\\ud800"}', 422),
        ('{"config": {"a": "\\ud800"}}', 422),
        ('{"config": {"a": NaN}}', 400),
        ('{"config": {"a": 1e999}}', 400),
        ('{"config": {"$a": 1}}', 400),
        ('{"config": {"a\\u0000": 1}}', 400),
        ('{"config": {"a": 9223372036854775808}}', 400),
        ('{"config": ' + '{"a":' * 40 + "1" + "}" * 41, 400),
        ("[" * 100_000, 422),
        (" " * 1_100_000, 413),
    ],
)
async def test_bodies_that_do_not_fit(gateway: Gateway, path: str, sent: str, status: int) -> None:
    async with gateway.client.post(path, data=sent.encode()) as answer:
        body = await answer.json()
        assert answer.status == status, body
    if status == 422:
        assert {"type", "loc", "msg"} <= set(body["detail"][0])
    else:
        assert body["detail"] == body["error"]["message"]


NAMES = ["scene_detection", "face_analysis", "scene", "FACE", "face_plain"]
LEAF = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-200, 200),
    st.floats(-200, 200),
    st.sampled_from(["fast", "x", "é"]),
)
KEYS = st.sampled_from(
    ["threshold", "mode", "window", "seconds", "pps", "max_faces", "min_scene_length", "deepface", "zz"]
)
PART = st.dictionaries(KEYS, st.one_of(LEAF, st.dictionaries(KEYS, LEAF, max_size=2)), max_size=4)
CONFIG = st.one_of(
    PART,
    st.dictionaries(
        st.sampled_from([*NAMES, "person_tracking", "pps", "zz"]), st.one_of(PART, LEAF), max_size=3
    ),
)


@given(config=CONFIG, names=st.lists(st.sampled_from(NAMES), max_size=3))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_what_is_valid_is_what_is_accepted(
    gateway: Gateway, config: dict[str, Any], names: list[str]
) -> None:
    wanted = names or ["scene_detection"]  # the defaults that are offered
    judged = await check(gateway, JOB, {"config": config, "selected_pipelines": wanted})
    fields = {"config": json.dumps(config), "selected_pipelines": ",".join(names)}
    status, body = await gateway.post(form(fields=fields))
    assert status == (201 if judged["valid"] else 400), (judged, body)
    if judged["valid"]:
        assert body["selected_pipelines"] == judged["pipelines_validated"]
    else:
        assert body["error"]["code"] == "INVALID_CONFIG"
        assert body["error"]["detail"]["errors"] == judged["errors"]


async def test_the_job_keeps_names_and_sections_as_they_are_meant(gateway: Gateway) -> None:
    fields = {"selected_pipelines": "Face, scene ,face_analysis,", "config": '{"FACE": {"thresh": 1}}'}
    status, body = await gateway.post(form(fields=fields))
    assert status == 201
    assert body["selected_pipelines"] == ["face_analysis", "scene_detection"]
    assert body["config"] == {"face_analysis": {"thresh": 1}}
    (event,) = gateway.jobs.held[body["id"]].events
    assert event.data["pipelines"] == ["face_analysis", "scene_detection"]
    assert event.data["requested"] == ["Face", "scene", "face_analysis"]
    (warning,) = event.data["warnings"]
    assert warning["field"] == "face_analysis.thresh"


async def test_the_event_says_no_more_than_there_is(gateway: Gateway) -> None:
    _, body = await gateway.post(form(fields={"selected_pipelines": "scene_detection"}))
    (event,) = gateway.jobs.held[body["id"]].events
    assert set(event.data) == {"pipelines", "video_filename"}


@pytest.mark.parametrize("config", ["[1]", '"x"', "3", "null"])
async def test_a_configuration_that_is_no_object_is_a_400(gateway: Gateway, config: str) -> None:
    status, body = await gateway.post(form(fields={"config": config}))
    assert (status, body["error"]["code"]) == (400, "INVALID_REQUEST")


async def test_pipelines_nobody_offered_wait_where_the_operator_wants_it() -> None:
    limits = {"max_upload_bytes": 100_000}
    async with Gateway(GatewaySettings(**limits)).running() as gateway:
        status, body = await gateway.post(form(fields={"selected_pipelines": "person"}))
        assert (status, body["error"]["code"]) == (400, "PIPELINE_UNAVAILABLE")
        assert "no worker has offered it yet" in body["error"]["message"]
        assert body["error"]["detail"]["reasons"] == {"person_tracking": "no worker has offered it yet"}
    async with Gateway(GatewaySettings(**limits, accept_unoffered=True)).running() as gateway:
        status, body = await gateway.post(form(fields={"selected_pipelines": "person"}))
        assert (status, body["selected_pipelines"]) == (201, ["person_tracking"])
        _, shown = await gateway.get("/api/v1/pipelines/person")
        assert (shown["enabled"], shown["unavailable_reason"]) == (False, "no worker has offered it yet")
        status, body = await gateway.post(
            form(fields={"selected_pipelines": "person", "config": '{"conf_threshold": 2}'})
        )
        assert (status, body["error"]["code"]) == (400, "INVALID_CONFIG")


async def test_where_no_default_can_run_the_reason_is_told(gateway: Gateway) -> None:
    await gateway.fleet.offer([offer("scene_detection", available=False, reason="no OpenCV")])
    await gateway.fleet.leave("worker")
    status, body = await gateway.post(form())
    assert (status, body["error"]["code"]) == (400, "PIPELINE_UNAVAILABLE")
    assert body["error"]["detail"]["reasons"] == {
        "scene_detection": "no OpenCV",
        "person_tracking": "no worker has offered it yet",
    }
    body = await check(gateway, JOB, {"config": {}})
    assert body["pipelines_validated"] == list(DEFAULT_PIPELINES)
