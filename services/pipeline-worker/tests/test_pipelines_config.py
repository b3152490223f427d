"""The pipelines' configurations: every key of the registry is honoured or refused, and both sides agree."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import pytest
from hypothesis import example as example_of
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from frameloom.common.registry import merged, registry
from frameloom.worker.errors import TaskError
from frameloom.worker.models import ModelStore
from frameloom.worker.pipelines import Only, Pipeline, PipelineConfig
from frameloom.worker.pipelines.audio_events import AudioEvents, EventsConfig
from frameloom.worker.pipelines.audio_features import AudioFeatures, FeaturesConfig
from frameloom.worker.pipelines.audio_processing import AudioProcessing
from frameloom.worker.pipelines.face_analysis import FaceAnalysis, FaceConfig
from frameloom.worker.pipelines.face_laion_clip import LaionFace
from frameloom.worker.pipelines.face_openface3_embedding import OpenFaceEmbedding
from frameloom.worker.pipelines.laion_voice import LaionVoice
from frameloom.worker.pipelines.ocr import Ocr, OcrConfig
from frameloom.worker.pipelines.person_tracking import PersonConfig, PersonTracking
from frameloom.worker.pipelines.scene_detection import SceneConfig, SceneDetection
from frameloom.worker.pipelines.speaker_diarization import DiarizationConfig, SpeakerDiarization
from frameloom.worker.pipelines.speech_recognition import SpeechConfig, SpeechRecognition
from frameloom.worker.pipelines.video_quality import VideoQuality, VideoQualityConfig

PIPELINES: list[type[Pipeline]] = [
    SceneDetection,
    FaceAnalysis,
    SpeechRecognition,
    SpeakerDiarization,
    AudioProcessing,
    PersonTracking,
    LaionFace,
    OpenFaceEmbedding,
    LaionVoice,
]
"""What Frameloom runs of the registry."""
OWN: list[type[Pipeline]] = [AudioEvents, AudioFeatures, Ocr, VideoQuality]
"""What it has beside that."""


def judged(pipeline: type[Pipeline], config: dict[str, Any]) -> tuple[bool, bool]:
    """Whether the schema and the model accept it."""
    schema = pipeline.info.config_schema
    by_schema = not list(Draft202012Validator(schema).iter_errors(config)) and _in_order(schema, config)
    try:
        pipeline.Config.model_validate(config)
    except ValidationError:
        return by_schema, False
    return by_schema, True


def _in_order(schema: dict[str, Any], config: dict[str, Any]) -> bool:
    """``x-at-most``, as the gateway checks it beside the schema."""
    properties = schema["properties"]
    pairs = [(key, part["x-at-most"]) for key, part in properties.items() if "x-at-most" in part]
    return all(
        config[key] <= config.get(other, properties[other]["default"])
        for key, other in pairs
        if config.get(key) is not None
    )


@pytest.mark.parametrize("pipeline", PIPELINES, ids=lambda pipeline: pipeline.info.name)
def test_every_key_of_the_registry_is_known_with_its_default(pipeline: type[Pipeline]) -> None:
    known = registry()[pipeline.info.name].config_schema["properties"]
    assert merged(pipeline.info) is pipeline.info, "nothing is left to be fixed from outside"
    defaults = {key: part["default"] for key, part in known.items()}
    assert judged(pipeline, defaults) == (True, True)
    pipeline.Config.model_validate(defaults)


@pytest.mark.parametrize("pipeline", PIPELINES + OWN, ids=lambda pipeline: pipeline.info.name)
def test_every_key_says_what_it_takes(pipeline: type[Pipeline]) -> None:
    schema = pipeline.info.config_schema
    Draft202012Validator.check_schema(schema)
    parts = dict(schema["properties"])
    for name, definition in schema.get("$defs", {}).items():
        parts |= {f"{name}.{key}": part for key, part in definition["properties"].items()}
    for key, part in parts.items():
        assert part.get("description"), key
        assert "default" in part, key
        limits = {"minimum", "exclusiveMinimum", "enum", "const", "$ref", "maxLength", "maxItems", "anyOf"}
        limited = limits & set(part)
        assert limited or part["type"] == "boolean", f"{key} takes anything"
    for example in pipeline.info.examples:
        assert judged(pipeline, example) == (True, True)
        assert set(example) <= set(schema["properties"])


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"scale_factor": 1.2}, "Haar cascades"),
        ({"min_neighbors": 3}, "Haar cascades"),
        ({"detection_backend": "retinaface"}, "'yunet', 'auto' or 'deepface'"),
        ({"emotion_backend": "other"}, "'auto', 'face-api', 'deepface' or 'disabled'"),
        ({"deepface": {"detector_backend": "mtcnn"}}, "DeepFace is not installed here"),
        ({"deepface": {"enforce_detection": True}}, "DeepFace is not installed here"),
        ({"person_identity": {"iou_threshold": 1.2}}, "less than or equal to 1"),
        ({"exports": ["mp3"]}, "'emotion', 'csv', 'parquet' or 'embeddings'"),
    ],
)
def test_what_can_not_be_honoured_is_refused_with_the_reason(
    tmp_path: Path, config: dict[str, Any], told: str
) -> None:
    assert judged(FaceAnalysis, config) == (False, False)
    with pytest.raises(TaskError) as caught:
        FaceAnalysis.configured(config, ModelStore(tmp_path, fetch=False))
    assert told in caught.value.message


@pytest.mark.parametrize(
    "config",
    [
        {"detection_backend": "deepface", "emotion_backend": "disabled", "detect_age": True},
        {"scale_factor": 1.1, "min_neighbors": 5, "deepface": {}, "person_identity": {"enabled": False}},
        {"person_identity": {"iou_threshold": 0.7, "require_person_id": True}, "landmarks_68": True},
        {"max_faces": 100, "min_face_size": 1, "pps": 240, "confidence_threshold": 0},
    ],
)
def test_what_can_be_honoured_is_taken(config: dict[str, Any]) -> None:
    assert judged(FaceAnalysis, config) == (True, True)


NUMBERS = st.one_of(st.integers(-300, 12_000), st.floats(-5, 300), st.sampled_from([1.1, 0.5, 5, 30, 0.0]))
LEAF = st.one_of(
    NUMBERS, st.booleans(), st.none(), st.sampled_from(["content", "transnetv2", "yunet", "opencv", "x"])
)
NESTED = ["iou_threshold", "enabled", "require_person_id", "emotion_model", "detector_backend"]
CONFIGS = st.dictionaries(
    st.sampled_from(
        [
            *FaceConfig.model_fields,
            *SceneConfig.model_fields,
            *PersonConfig.model_fields,
            *OcrConfig.model_fields,
            *VideoQualityConfig.model_fields,
            *EventsConfig.model_fields,
            *FeaturesConfig.model_fields,
            *SpeechConfig.model_fields,
            *DiarizationConfig.model_fields,
            "zz",
        ]
    ),
    st.one_of(LEAF, st.dictionaries(st.sampled_from(NESTED), LEAF, max_size=3)),
    max_size=5,
)


@pytest.mark.parametrize("pipeline", PIPELINES + OWN, ids=lambda pipeline: pipeline.info.name)
@given(config=CONFIGS)
@example_of(config={"classes": ["Laughter", "Music"], "exports": ["elan"]})
@example_of(config={"classes": ["Laughing"]})
@example_of(config={"event_threshold": 0.1, "end_threshold": 0.2})
@example_of(config={"event_threshold": 0.1, "min_speakers": 3, "max_speakers": 2})
@settings(max_examples=300, deadline=None)
def test_what_the_gateway_lets_through_the_worker_takes(
    pipeline: type[Pipeline], config: dict[str, Any]
) -> None:
    by_schema, by_model = judged(pipeline, config)
    assert by_model or not by_schema


class Closed(PipelineConfig):
    """Forbids what it does not know."""

    model_config = ConfigDict(extra="forbid")
    pps: float = Field(2.0, gt=0)
    renamed: int = Field(1, alias="other")


def test_a_model_that_forbids_unknown_keys_works_beside_other_pipelines(tmp_path: Path) -> None:
    class Mine(SceneDetection):
        Config = Closed

    sent = {"pps": 3, "other": 4, "max_faces": 3}
    config = Mine.configured(sent, ModelStore(tmp_path, fetch=False)).config
    assert config == Closed(pps=3, other=4)


def test_only_keeps_the_type() -> None:
    class Model(BaseModel):
        a: Annotated[int, Only(5, "It is so.")] = 5

    assert Model(a=5).a == 5
    for wrong in (6, "x", 5.5):
        with pytest.raises(ValidationError):
            Model(a=wrong)  # type: ignore[arg-type]
    assert Model.model_json_schema()["properties"]["a"] == {
        "const": 5,
        "default": 5,
        "description": "It is so.",
        "title": "A",
        "type": "integer",
    }
