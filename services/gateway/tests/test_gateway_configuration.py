"""Configurations: read, led to their pipelines, held against schemas."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from gateway_kit import offer

from frameloom.common.machines.sections import config_of
from frameloom.common.pipelines import PipelineInfo
from frameloom.common.registry import Names, registry
from frameloom.gateway.errors import InvalidConfigError, InvalidRequestError
from frameloom.gateway.services.configuration import Verdict, judge, named_by, parse

SCENE, FACE = (offer(name).info for name in ("scene_detection", "face_analysis"))
NAMES = Names([*registry().values()])


@pytest.mark.parametrize("text", [None, "", "  ", "{}"])
def test_none_is_empty(text: str | None) -> None:
    assert parse(text) == {}


@pytest.mark.parametrize(
    "text",
    [
        "{broken",
        "[1, 2]",
        '"text"',
        "3",
        "null",
        "true",
        '{"a": NaN}',
        '{"a": 1e999}',
        '{"a": 9223372036854775808}',
        '{"$where": 1}',
        '{"a\\u0000b": 1}',
        '{"a": "\\ud800"}',
        "[" * 5000,
        '{"a":' * 40 + "1" + "}" * 40,
        '{"a": ' + "9" * 5000 + "}",
    ],
)
def test_what_is_no_object_or_can_not_be_stored_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequestError):
        parse(text)


def verdict(config: dict[str, Any], *infos: PipelineInfo) -> Verdict:
    found = judge(config, infos or (SCENE,), NAMES)
    json.dumps([item.item() for item in (*found.errors, *found.warnings)])
    return found


def fields(items: Sequence[Any]) -> list[str]:
    return [item.field for item in items]


@pytest.mark.parametrize(
    ("config", "field", "code"),
    [
        ({"threshold": 101}, "threshold", "VALUE_OUT_OF_RANGE"),
        ({"threshold": -1}, "threshold", "VALUE_OUT_OF_RANGE"),
        ({"threshold": "high"}, "threshold", "INVALID_TYPE"),
        ({"threshold": True}, "threshold", "INVALID_TYPE"),
        ({"threshold": None}, "threshold", "INVALID_TYPE"),
        ({"mode": "slow"}, "mode", "INVALID_VALUE"),
        ({"window": {}}, "window.seconds", "REQUIRED_FIELD_MISSING"),
        ({"window": {"seconds": 0}}, "window.seconds", "VALUE_OUT_OF_RANGE"),
        ({"scene_detection": {"threshold": 101}}, "threshold", "VALUE_OUT_OF_RANGE"),
        ({"Scene": {"threshold": 101}}, "threshold", "VALUE_OUT_OF_RANGE"),
        ({"scene_pyscenedetect-clip": {"threshold": 101}}, "threshold", "VALUE_OUT_OF_RANGE"),
        ({"scene_detection": 3}, "", "INVALID_TYPE"),
        ({"scene": [1]}, "", "INVALID_TYPE"),
    ],
)
def test_a_wrong_value_is_named(config: dict[str, Any], field: str, code: str) -> None:
    (found,) = verdict(config).errors
    assert (found.field, found.code) == (f"scene_detection.{field}".rstrip("."), code)
    assert found.pipeline == "scene_detection"
    assert found.message
    assert found.hint


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"threshold": 101}, "Value 101 of 'threshold' is out of range [0, 100]"),
        ({"threshold": "high"}, "Expected type number for 'threshold', got string"),
        ({"window": {"seconds": 0}}, "Value 0 of 'seconds' is out of range (0, ∞)"),
        ({"mode": "slow"}, "Value 'slow' of 'mode' is not possible; choose 'fast', 'exact'"),
    ],
)
def test_the_sentences(config: dict[str, Any], told: str) -> None:
    (found,) = verdict(config).errors
    assert found.message == told
    with pytest.raises(InvalidConfigError) as caught:
        verdict(config).require_valid()
    assert caught.value.message == (
        f"Configuration validation failed: scene_detection: {told} ({found.hint})"
    )
    assert caught.value.detail is not None
    assert caught.value.detail["errors"] == [found.item()]


def test_a_value_of_a_list_is_named_with_what_was_meant() -> None:
    words = {"type": "array", "items": {"enum": ["Speech", "Laughter", "Music"]}}
    info = SCENE.model_copy(update={"config_schema": {"type": "object", "properties": {"classes": words}}})
    (found,) = verdict({"classes": ["Music", "laughing"]}, info).errors
    assert found.field == "scene_detection.classes.1"
    assert found.message.startswith("Value 'laughing' of 'classes.1' is not possible; choose 'Speech'")
    assert found.hint == "Did you mean 'Laughter'?"


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"threshold": 1, "unknown": "key"},
        {"threshold": 1.5, "min_scene_length": 1},
        {"mode": None},
        {"scene_detection": {"mode": "fast", "unknown": 1}, "other": {"threshold": 1000}},
    ],
)
def test_what_fits_passes_and_unknown_keys_are_let_through(config: dict[str, Any]) -> None:
    verdict(config).require_valid()


def test_unknown_keys_are_warned_of_with_what_was_meant() -> None:
    found = verdict({"threshhold": 3, "window": {"seconds": 1, "secs": 2}, "zzz": 1}).warnings
    told = {item.field: item.suggestion for item in found}
    assert told == {
        "scene_detection.threshhold": "Did you mean 'threshold'?",
        "scene_detection.window.secs": "Did you mean 'seconds'?",
        "scene_detection.zzz": "Check the spelling, or leave it out",
    }
    assert found[0].message == "Unknown field 'threshhold' will be ignored"


def test_every_pipeline_is_checked() -> None:
    found = verdict({"threshold": 101}, SCENE, FACE)
    assert fields(found.errors) == ["scene_detection.threshold", "face_analysis.threshold"]
    assert found.pipelines == ("scene_detection", "face_analysis")


def test_a_key_that_another_pipeline_knows_is_no_surprise() -> None:
    person = registry()["person_tracking"]
    assert not verdict({"threshold": 3, "conf_threshold": 0.5}, SCENE, person).warnings
    assert fields(verdict({"conf_threshold": 0.5}, SCENE).warnings) == ["scene_detection.conf_threshold"]


def test_sections_lie_under_the_names_of_their_pipelines() -> None:
    found = verdict({"Face": {"threshold": 1}, "scene_detection": {}, "pps": 2}, SCENE, FACE)
    assert found.config == {"face_analysis": {"threshold": 1}, "scene_detection": {}, "pps": 2}
    assert config_of(found.config, "face_analysis", found.pipelines) == {"threshold": 1, "pps": 2}
    assert config_of(found.config, "scene_detection", found.pipelines) == {"pps": 2}


def test_two_sections_for_one_pipeline_are_refused() -> None:
    for config in ({"face": {}, "face_analysis": {}}, {"face_analysis": {}, "FACE": {"threshold": 1}}):
        (error,) = verdict(config, FACE).errors
        assert (error.field, error.code) == ("face_analysis", "INVALID_VALUE")


def test_a_key_of_a_pipeline_is_no_section() -> None:
    schema = {"type": "object", "properties": {"face": {"type": "object"}}}
    mine = FACE.model_copy(update={"config_schema": schema})
    assert verdict({"face": {"a": 1}}, mine).config == {"face": {"a": 1}}


def test_what_reaches_no_pipeline_is_told() -> None:
    found = verdict({"scene": {}, "person": {"conf_threshold": 1}, "threshold": 3, "pps": 1}, SCENE)
    assert {item.field: item.message for item in found.warnings} == {
        "person": "The section 'person' will be ignored: person_tracking is not among the job's pipelines",
        "threshold": "Field 'threshold' stands outside of the sections and will be ignored",
        "scene_detection.pps": "Unknown field 'pps' will be ignored",
    }
    (only,) = verdict({"person_tracking": {"conf_threshold": 7}}, SCENE).warnings
    assert only.field == "person_tracking"


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("confidence_threshold", 1.5, "VALUE_OUT_OF_RANGE"),
        ("iou_threshold", -0.1, "VALUE_OUT_OF_RANGE"),
        ("max_persons", 0, "VALUE_OUT_OF_RANGE"),
        ("max_faces", 101, "VALUE_OUT_OF_RANGE"),
        ("max_faces", 1.5, "INVALID_TYPE"),
        ("pps", 0, "VALUE_OUT_OF_RANGE"),
        ("pps", "fast", "INVALID_TYPE"),
    ],
)
def test_common_keys_are_checked_everywhere_as_in_the_original(key: str, value: Any, code: str) -> None:
    (error,) = verdict({key: value}).errors
    assert (error.field, error.code) == (f"scene_detection.{key}", code)
    (nested,) = verdict({"window": {"seconds": 1, key: value}}).errors
    assert nested.field == f"scene_detection.window.{key}"
    own = {"type": "object", "properties": {key: {}}}
    assert verdict({key: value}, SCENE, FACE.model_copy(update={"config_schema": own})).valid


def test_a_key_without_effect_is_told() -> None:
    effect = {"reason": "no such model", "when": [True]}
    schema = {"properties": {"label": {"type": "boolean", "x-without-effect": effect}}}
    pipeline = SCENE.model_copy(update={"config_schema": schema})
    (told,) = verdict({"label": True}, pipeline).warnings
    assert told.message == "'label' has no effect here: no such model"
    assert not verdict({"label": False}, pipeline).warnings


@pytest.mark.parametrize(
    ("config", "valid"),
    [
        ({"min_speakers": 3, "max_speakers": 2}, False),
        ({"min_speakers": 11}, False),
        ({"min_speakers": 3, "max_speakers": 3}, True),
        ({"max_speakers": 1}, True),
    ],
)
def test_a_pair_must_be_in_order(config: dict[str, Any], valid: bool) -> None:
    found = verdict(config, registry()["audio_processing"])
    assert found.valid is valid
    assert fields(found.errors) == ([] if valid else ["audio_processing.min_speakers"])


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "bogus"},
        {"properties": []},
        {"properties": {"a": {"pattern": "(?<"}}},
        {"properties": {"a": {"$ref": "#/nowhere"}}},
        {"properties": {"a": {"$ref": "https://elsewhere.example/schema"}}},
        {"properties": {"a": {"minimum": "x"}}},
    ],
)
def test_a_schema_that_can_not_be_used_refuses_nothing(schema: dict[str, Any]) -> None:
    broken = SCENE.model_copy(update={"config_schema": schema})
    assert judge({"scene_detection": {"a": "b"}}, [broken], NAMES).valid


def test_a_closed_schema_warns_on_top_and_refuses_below() -> None:
    inner = {"type": "object", "properties": {"x": {}}, "additionalProperties": False}
    schema = {"properties": {"in": inner}, "additionalProperties": False}
    closed = SCENE.model_copy(update={"config_schema": schema})
    found = verdict({"in": {"y": 1}, "z": 1}, closed)
    assert fields(found.errors) == ["scene_detection.in"]
    assert fields(found.warnings) == ["scene_detection.z"]


def test_thousands_of_wrong_keys_are_cut_short() -> None:
    many = {f"unknown_{number}" + "x" * 20: number for number in range(30_000)}
    found = verdict({"scene_detection": many})
    assert len(found.warnings) == 100
    schema = {"properties": {"list": {"type": "array", "items": {"type": "string"}}}}
    listing = SCENE.model_copy(update={"config_schema": schema})
    assert len(verdict({"list": list(range(30_000))}, listing).errors) == 100
    assert len(verdict({"k" * 100_000: 1, "threshold": "v" * 100_000}).errors[0].message) < 300


def test_sections_name_pipelines() -> None:
    assert named_by({"Face": {}, "scene": 3, "zz": {}, "person_tracking": {}}, NAMES) == {
        "face_analysis": "Face",
        "person_tracking": "person_tracking",
    }
