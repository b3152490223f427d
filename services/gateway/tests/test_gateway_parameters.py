"""Schemas as clients read them."""

from __future__ import annotations

from gateway_kit import SCHEMA

from frameloom.common.registry import registry
from frameloom.gateway.services.parameters import parameters, per_key


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


def test_a_list_of_types_is_a_type_that_may_be_null() -> None:
    shown = per_key(registry()["speech_recognition"].config_schema)
    assert (shown["language"]["type"], shown["language"]["nullable"]) == ("string", True)
    assert shown["temperature"]["type"] == "float"


def test_a_schema_is_shown_as_a_form() -> None:
    threshold, mode, window = parameters(SCHEMA)
    assert threshold["name"] == "threshold"
    assert (threshold["type"], threshold["label"], threshold["default"]) == ("number", "Threshold", 30.0)
    assert (threshold["min"], threshold["max"], threshold["required"]) == (0, 100, False)
    assert (mode["type"], mode["nullable"]) == ("enum", True)
    assert mode["options"] == ["fast", "exact"]
    assert mode["enum"] == [{"value": "fast", "label": "fast"}, {"value": "exact", "label": "exact"}]
    (seconds,) = window["properties"]
    assert (seconds["type"], seconds["required"], seconds["step"]) == ("integer", True, 1)
    assert (seconds["min"], seconds["exclusive_min"]) == (0, True)


def test_a_fixed_value_is_a_choice_of_one() -> None:
    (only,) = parameters({"properties": {"a": {"type": "boolean", "const": True}}})
    assert (only["type"], only["options"]) == ("enum", [True])
    assert only["enum"] == [{"value": True, "label": "true"}]
