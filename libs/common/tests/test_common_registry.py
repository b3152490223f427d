"""The built-in registry: its facts, its names, and what an offer makes of an entry."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from frameloom.common.pipelines import PipelineInfo
from frameloom.common.registry import DEFAULT_PIPELINES, Names, merged, normalised, registry

REFERENCE = Path(__file__).parents[4] / "shared" / "reference" / "videoannotator-registry.json"
TYPES = {"float": "number"}
TAXONOMY = ("pipeline_family", "variant", "stability")
LISTS = ("tasks", "modalities", "capabilities", "backends")


def info(name: str, family: str = "f", variant: str = "v", **fields: Any) -> PipelineInfo:
    return PipelineInfo(
        name=name,
        version="1",
        display_name=name,
        description=name,
        pipeline_family=family,
        variant=variant,
        **fields,
    )


def test_there_are_nine_in_order_of_their_names() -> None:
    assert list(registry()) == [
        "audio_processing",
        "face_analysis",
        "face_laion_clip",
        "face_openface3_embedding",
        "laion_voice",
        "person_tracking",
        "scene_detection",
        "speaker_diarization",
        "speech_recognition",
    ]
    assert set(DEFAULT_PIPELINES) <= set(registry())


@pytest.mark.skipif(not REFERENCE.exists(), reason="the reference is not beside this checkout")
def test_the_facts_are_those_of_the_reference() -> None:
    reference = json.loads(REFERENCE.read_text())
    assert set(reference) == set(registry())
    for name, known in reference.items():
        entry = registry()[name]
        assert {key: getattr(entry, key) for key in TAXONOMY} == {key: known[key] for key in TAXONOMY}
        assert {key: list(getattr(entry, key)) for key in LISTS} == {key: known[key] for key in LISTS}
        assert [output.model_dump(mode="json") for output in entry.outputs] == known["outputs"]
        properties = entry.config_schema["properties"]
        assert list(properties) == list(known["config"])
        for key, (kind, default) in known["config"].items():
            part = properties[key]
            kinds = part["type"] if isinstance(part["type"], list) else [part["type"]]
            assert kinds[0] == TYPES.get(kind, kind), (name, key)
            assert part["default"] == default
            assert type(part["default"]) is type(default)
            assert ("null" in kinds) == (default is None)


@pytest.mark.parametrize("name", registry())
def test_entries_are_whole(name: str) -> None:
    entry = registry()[name]
    schema = entry.config_schema
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    defaults = {key: part["default"] for key, part in schema["properties"].items()}
    assert not list(validator.iter_errors(defaults))
    for example in entry.examples:
        assert example
        assert set(example) <= set(schema["properties"])
        assert not list(validator.iter_errors(example))
    for key, part in schema["properties"].items():
        assert part["description"].endswith("."), key
        limited = {"enum", "const", "minimum", "exclusiveMinimum", "pattern", "maxLength", "properties"}
        assert part["type"] == "boolean" or limited & set(part), f"{key} takes anything"
        if other := part.get("x-at-most"):
            assert other in schema["properties"]
        for inner, default in (part["default"] if "properties" in part else {}).items():
            assert part["properties"][inner]["default"] == default


def test_no_job_can_name_a_path_on_the_worker() -> None:
    for entry in registry().values():
        for key, part in entry.config_schema["properties"].items():
            if isinstance(part["default"], str) and "/" in part["default"]:
                assert "const" in part or "enum" in part, (entry.name, key)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("scene", "scene_detection"),
        ("person", "person_tracking"),
        ("face", "face_analysis"),
        ("audio", "laion_voice"),  # the first by name of the family's stable ones, as in the original
        ("Face", "face_analysis"),
        (" SCENE_Detection ", "scene_detection"),
        ("scene-detection", "scene_detection"),
        ("person_yolov11n-pose-bytetrack", "person_tracking"),
        ("audio_whisper", "speech_recognition"),
        ("audio_whisper-pyannote", "audio_processing"),
        ("face_deepface", "face_analysis"),
        ("face_recognition", None),
        ("", None),
        ("_", None),
        ("scenes", None),
        ("scene" + " " * 1000, None),
    ],
)
def test_aliases(name: str, meant: str | None) -> None:
    assert Names(registry().values()).resolve(name) == meant


def test_a_family_means_its_most_stable_member_and_one_that_can_run_first() -> None:
    wild, solid, first = info("a", stability="experimental"), info("c", stability="stable"), info("b")
    assert Names([wild, solid, first]).resolve("f") == "c"
    assert Names([wild, first]).resolve("f") == "b"
    assert Names([wild, solid, first], runnable={"a", "b"}).resolve("f") == "b"


def test_a_name_wins_over_an_alias() -> None:
    names = Names([info("face", "other", "x"), info("face_analysis", "face", "x")])
    assert names.resolve("face") == "face"
    assert names.resolve("FACE") == "face"
    assert names.aliases_of("face_analysis") == ["face_x"]


def test_both_variants_of_a_replaced_entry_are_understood() -> None:
    names = Names([info("face_analysis", "face", "yunet-sface")], also=registry().values())
    assert names.aliases_of("face_analysis") == ["face", "face_deepface", "face_yunet_sface"]
    assert names.resolve("face_laion-clip-face") is None, "an entry that is not known has no alias"


def test_names_are_compared_without_signs() -> None:
    assert normalised("  Person.YOLOv11n-pose ") == "person_yolov11n_pose"
    assert normalised("--") == ""


def test_what_an_offer_lacks_keeps_its_default_only() -> None:
    own = {"threshold": {"type": "number", "maximum": 255}}
    offered = info("scene_detection", config_schema={"type": "object", "properties": own})
    whole = merged(offered)
    properties = whole.config_schema["properties"]
    assert properties["threshold"] == own["threshold"], "the offer wins"
    assert properties["min_scene_length"]["const"] == 1.0
    validator = Draft202012Validator(whole.config_schema)
    assert not list(validator.iter_errors({"min_scene_length": 1, "enable_clip_labels": True}))
    assert list(validator.iter_errors({"min_scene_length": 2}))
    assert whole.variant == "v"


def test_objects_are_fixed_key_by_key() -> None:
    properties = merged(info("face_analysis")).config_schema["properties"]
    assert properties["deepface"]["properties"]["detector_backend"]["const"] == "opencv"
    assert "const" not in properties["deepface"]


def test_other_offers_stay_as_they_are() -> None:
    plug_in = info("mine", config_schema={"properties": {"a": {"type": "integer"}}})
    assert merged(plug_in) is plug_in
    complete = registry()["speaker_diarization"]
    assert merged(complete) is complete
