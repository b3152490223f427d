"""The configuration of ``face_analysis``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from frameloom.worker.pipelines.base import Only, PipelineConfig, without_effect

_NO_DEEPFACE = "DeepFace is not installed here; yunet finds the faces."
_NO_HAAR = "Belongs to Haar cascades, which are not used here."
_SENSITIVE = "it would be a guess about a sensitive trait, and no model for it is part of Frameloom"

EMOTIONS = ("neutral", "happy", "sad", "angry", "fear", "disgust", "surprise")
"""In the order of the network; the words are those of DeepFace, which VideoAnnotator writes."""
EXPRESSION_FILES = ("face-expressions", "face-expressions-layout")
LANDMARK_FILES = ("face-landmarks-68", "face-landmarks-68-layout")

Export = Literal["emotion", "csv", "parquet", "embeddings"]


class DeepFaceConfig(BaseModel):
    """Settings of a backend of VideoAnnotator that is not used here: its defaults pass, nothing else."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    emotion_model: Annotated[str, Only("VGG-Face", _NO_DEEPFACE)] = "VGG-Face"
    age_gender_model: Annotated[str, Only("VGG-Face", _NO_DEEPFACE)] = "VGG-Face"
    detector_backend: Annotated[str, Only("opencv", _NO_DEEPFACE)] = "opencv"
    enforce_detection: Annotated[bool, Only(False, _NO_DEEPFACE)] = False


class PersonIdentityConfig(BaseModel):
    """How faces are linked to the persons of ``person_tracking``."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    enabled: bool = Field(default=True, description="Link faces to persons, in jobs that have both.")
    link_to_persons: bool = Field(
        default=True, description="Write the person's id into the rows of its face. Off: as enabled off."
    )
    iou_threshold: float = Field(
        0.5,
        ge=0.0,
        le=1.0,
        description="Least part of a face that lies within the upper part of a person's box.",
    )
    require_person_id: bool = Field(
        default=False,
        description="Leave out faces that belong to no person, in the file of linked faces.",
    )


class FaceConfig(PipelineConfig):
    """Configuration of ``face_analysis``; has every key of VideoAnnotator's pipeline of this name."""

    pps: float = Field(5.0, gt=0.0, le=240.0, description="Frames per second of video to look at.")
    confidence_threshold: float = Field(0.7, ge=0.0, le=1.0, description="Least score of a face.")
    min_face_size: int = Field(
        30, ge=1, le=10_000, description="Least width and height of a face, in video pixels."
    )
    max_faces: int = Field(10, ge=1, le=100, description="Most faces per frame; the best are kept.")
    detection_size: int = Field(
        640,
        ge=160,
        le=1280,
        description="Longest side of the picture that is searched. More finds smaller faces.",
    )
    identity_threshold: float = Field(
        0.363, ge=0.0, le=1.0, description="Least cosine similarity of two faces of one person."
    )
    detection_backend: Literal["yunet", "auto", "deepface"] = Field(
        "yunet",
        description="What finds the faces: only yunet is installed. deepface is VideoAnnotator's default, "
        "and uses yunet here.",
        json_schema_extra=without_effect("DeepFace is not installed, yunet is used", when=["deepface"]),
    )
    emotion_backend: Literal["auto", "face-api", "deepface", "disabled"] = Field(
        "auto",
        description="What estimates emotions. auto: face-api's network, if the worker can have it; face-api: "
        "that, or the task fails.",
        json_schema_extra=without_effect(
            "DeepFace is not installed, face-api's network is used", when=["deepface"]
        ),
    )
    scale_factor: Annotated[float, Only(1.1, _NO_HAAR)] = 1.1
    min_neighbors: Annotated[int, Only(5, _NO_HAAR)] = 5
    detect_emotions: bool = Field(default=True, description="Estimate the emotion that a face shows.")
    emotion_smoothing_seconds: float = Field(
        0.8,
        ge=0.0,
        le=10.0,
        description="How far back the emotions of a person count for the next frame. 0: each stands alone.",
    )
    landmarks_68: bool = Field(
        default=False, description="Add 68 points of each face to its row, beside the five of landmarks."
    )
    detect_age: bool = Field(
        default=False,
        description="Accepted so that VideoAnnotator's configurations pass; ages are not estimated.",
        json_schema_extra=without_effect(_SENSITIVE, when=[True]),
    )
    detect_gender: bool = Field(
        default=False,
        description="Accepted so that VideoAnnotator's configurations pass; genders are not estimated.",
        json_schema_extra=without_effect(_SENSITIVE, when=[True]),
    )
    deepface: DeepFaceConfig = Field(
        DeepFaceConfig(), description="Settings of DeepFace, which is not installed here."
    )
    person_identity: PersonIdentityConfig = Field(
        PersonIdentityConfig(), description="How faces are linked to the persons of person_tracking."
    )
    exports: list[Export] = Field(
        [],
        max_length=4,
        description="Further files. embeddings: 128 numbers a face, by which a person can be known again.",
    )

    @property
    def wants_emotions(self) -> bool:
        """Whether emotions are asked for."""
        return self.detect_emotions and self.emotion_backend != "disabled"

    @property
    def links(self) -> bool:
        """Whether faces are to be linked to persons."""
        return self.person_identity.enabled and self.person_identity.link_to_persons
