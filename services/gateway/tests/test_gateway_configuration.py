"""Configurations: read, held against schemas, shown per key."""

from __future__ import annotations

import json
from typing import Any

import pytest
from gateway_kit import SCHEMA, offer

from frameloom.gateway.errors import InvalidConfigError, InvalidRequestError
from frameloom.gateway.services.configuration import check, parse, per_key


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


def problems(config: dict[str, Any], *names: str) -> list[dict[str, Any]]:
    with pytest.raises(InvalidConfigError) as caught:
        check(config, [offer(name) for name in names or ("scene_detection",)])
    assert caught.value.detail is not None
    found: list[dict[str, Any]] = caught.value.detail["errors"]
    json.dumps(found)
    return found


@pytest.mark.parametrize(
    ("config", "field", "code"),
    [
        ({"threshold": 101}, "threshold", "VALUE_OUT_OF_RANGE"),
        ({"threshold": -1}, "threshold", "VALUE_OUT_OF_RANGE"),
        ({"threshold": "high"}, "threshold", "INVALID_TYPE"),
        ({"mode": "slow"}, "mode", "VALUE_OUT_OF_RANGE"),
        ({"window": {}}, "window.seconds", "REQUIRED_FIELD_MISSING"),
        ({"window": {"seconds": 0}}, "window.seconds", "VALUE_OUT_OF_RANGE"),
        ({"scene_detection": {"threshold": 101}}, "threshold", "VALUE_OUT_OF_RANGE"),
        ({"scene_detection": 3}, "scene_detection", "INVALID_TYPE"),
    ],
)
def test_a_wrong_value_is_named(config: dict[str, Any], field: str, code: str) -> None:
    (found,) = problems(config)
    assert (found["field"], found["code"], found["pipeline"]) == (field, code, "scene_detection")
    assert found["message"]
    assert found["hint"]


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"threshold": 1, "unknown": "key"},
        {"mode": None},
        {"scene_detection": {"mode": "fast", "unknown": 1}, "other": {"threshold": 1000}},
    ],
)
def test_what_fits_passes_and_unknown_keys_are_let_through(config: dict[str, Any]) -> None:
    check(config, [offer("scene_detection")])


def test_every_pipeline_is_checked() -> None:
    found = problems({"threshold": 101}, "scene_detection", "face_analysis")
    assert {item["pipeline"] for item in found} == {"scene_detection", "face_analysis"}


def test_a_schema_is_shown_per_key() -> None:
    shown = per_key(SCHEMA)
    assert shown["threshold"] == {
        "type": "float",
        "default": 30.0,
        "description": "Cut",
        "minimum": 0,
        "maximum": 100,
    }
    assert shown["mode"] == {
        "type": "string",
        "default": None,
        "description": "",
        "enum": ["fast", "exact"],
        "nullable": True,
    }
    assert shown["window"]["type"] == "object"
    assert shown["window"]["properties"]["seconds"]["type"] == "integer"
