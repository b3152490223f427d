"""Finds faces and tells whether two of them are the same person."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from frameloom.common.pipelines import ArtefactSpec, Item, MediaInfo, Output, PipelineInfo, Row
from frameloom.worker.frames.base import FrameBatch, FrameRequest, Sampling, fit
from frameloom.worker.pipelines import coco
from frameloom.worker.pipelines.base import FramePipeline, Only, PipelineConfig, without_effect
from frameloom.worker.pipelines.faces.identities import IdentityTracker

if TYPE_CHECKING:
    from frameloom.worker.pipelines.faces.models import Face, Pixels

VERSION = "1.0.0"
SUFFIX = "_face_detections.json"

_BACKEND = "yunet"
_CATEGORY = {"id": 100, "name": "face", "supercategory": "person"}
_WORKING_SIDE = 1280
"""Longest side of the frames that are asked for: to tell small faces apart takes pixels."""


_NO_DEEPFACE = "DeepFace is not installed here; yunet finds the faces."
_NO_HAAR = "Belongs to Haar cascades, which are not used here."
_NO_PERSONS = "Faces are not linked to persons here."
_UNLINKED = without_effect("faces are not linked to persons", when=[True])


class DeepFaceConfig(BaseModel):
    """Settings of a backend of VideoAnnotator that is not used here: its defaults pass, nothing else."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    emotion_model: Annotated[str, Only("VGG-Face", _NO_DEEPFACE)] = "VGG-Face"
    age_gender_model: Annotated[str, Only("VGG-Face", _NO_DEEPFACE)] = "VGG-Face"
    detector_backend: Annotated[str, Only("opencv", _NO_DEEPFACE)] = "opencv"
    enforce_detection: Annotated[bool, Only(False, _NO_DEEPFACE)] = False


class PersonIdentityConfig(BaseModel):
    """How faces would be linked to the persons of ``person_tracking``."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    enabled: bool = Field(default=True, description="Link faces to persons.", json_schema_extra=_UNLINKED)
    link_to_persons: bool = Field(
        default=True,
        description="Write the person's id into the rows of its face.",
        json_schema_extra=_UNLINKED,
    )
    iou_threshold: Annotated[float, Only(0.5, _NO_PERSONS)] = Field(0.5, ge=0.0, le=1.0)
    require_person_id: Annotated[bool, Only(False, _NO_PERSONS)] = False


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
    emotion_backend: Literal["auto", "deepface", "disabled"] = Field(
        "auto",
        description="What estimates emotions: nothing is installed yet.",
        json_schema_extra=without_effect("DeepFace is not installed", when=["deepface"]),
    )
    scale_factor: Annotated[float, Only(1.1, _NO_HAAR)] = 1.1
    min_neighbors: Annotated[int, Only(5, _NO_HAAR)] = 5
    detect_emotions: bool = Field(
        default=True,
        description="Adds emotions, where a model for them is installed.",
        json_schema_extra=without_effect("no model for emotions is installed", when=[True]),
    )
    detect_age: bool = Field(
        default=False,
        description="Adds ages, where a model for them is installed.",
        json_schema_extra=without_effect("no model for ages is installed", when=[True]),
    )
    detect_gender: bool = Field(
        default=False,
        description="Adds genders, where a model for them is installed.",
        json_schema_extra=without_effect("no model for genders is installed", when=[True]),
    )
    deepface: DeepFaceConfig = Field(
        DeepFaceConfig(), description="Settings of DeepFace, which is not installed here."
    )
    person_identity: PersonIdentityConfig = Field(
        PersonIdentityConfig(),
        description="How faces are linked to the persons of person_tracking: not yet.",
    )


class FaceAnalysis(FramePipeline):
    """Gives one row per face per looked-at frame, with box, landmarks and identity."""

    Config = FaceConfig
    required_models = ("yunet", "sface")
    required_modules = ("cv2",)
    info: ClassVar[PipelineInfo] = PipelineInfo(
        name="face_analysis",
        version=VERSION,
        display_name="Face Analysis",
        description="Finds faces with five landmarks each, and follows who is who through the video.",
        pipeline_family="face",
        variant="yunet-sface",
        tasks=("face-detection", "face-recognition"),
        modalities=("video",),
        capabilities=("frame-level-analysis", "identity", "streaming"),
        backends=("opencv",),
        stability="beta",
        outputs=(Output(format="COCO", types=("face_detections", "face_identities")),),
        config_schema=FaceConfig.model_json_schema(),
        examples=(
            {"pps": 2, "confidence_threshold": 0.8},
            {"detection_size": 1280, "min_face_size": 15, "max_faces": 100},
        ),
    )
    config: FaceConfig

    def load(self) -> None:
        """Loads both networks."""
        from frameloom.worker.pipelines.faces.models import FaceEmbedder, FaceFinder  # noqa: PLC0415 - OpenCV

        FaceFinder(self.models, (320, 320), self.config.confidence_threshold)
        self._embedder = FaceEmbedder(self.models)

    def begin(self, media: MediaInfo) -> None:
        """Forgets all identities."""
        from frameloom.worker.pipelines.faces.models import FaceFinder  # noqa: PLC0415 - OpenCV

        super().begin(media)
        self._working = fit(media, _WORKING_SIDE)
        self._scale = (media.width / self._working[0], media.height / self._working[1])
        searched = fit(media, min(self.config.detection_size, _WORKING_SIDE))
        self._finder = FaceFinder(self.models, searched, self.config.confidence_threshold)
        self._identities = IdentityTracker(self.config.identity_threshold)
        self._rows = 0

    def request(self, media: MediaInfo) -> FrameRequest:
        """``pps`` frames a second, large enough to tell small faces apart."""
        return FrameRequest(
            Sampling.per_second(self.config.pps), size=fit(media, _WORKING_SIDE), colour="bgr", batch_size=8,
            scaling="area",
        )  # fmt: skip

    def process(self, batch: FrameBatch) -> Iterator[Item]:
        """Rows of these frames; a frame without a face has only its row in ``images``."""
        for pixels, timestamp, number in zip(
            batch.pixels, batch.timestamps, batch.frame_numbers, strict=True
        ):
            yield from self._frame(pixels, float(timestamp), int(number))

    def artefacts(self) -> tuple[ArtefactSpec, ...]:
        """One file. ``contents`` in its head says which kinds of fields the rows have."""
        info: Row = {
            "description": "Frameloom COCO export: faces",
            "version": VERSION,
            "contents": {
                "identities": len(self._identities),
                "emotions": False,
                "age": False,
                "gender": False,
            },
            "notes": self._notes(),
        }
        return (coco.artefact(SUFFIX, info, [_CATEGORY]),)

    def _notes(self) -> list[str]:
        config = self.config
        wanted = {
            "emotions": config.detect_emotions,
            "age": config.detect_age,
            "gender": config.detect_gender,
        }
        notes = [
            f"{name}: asked for, but no model for it is installed" for name, asked in wanted.items() if asked
        ]
        if config.detection_backend not in {_BACKEND, "auto"}:
            notes.append(
                f"detection_backend: {config.detection_backend} is not installed, {_BACKEND} was used"
            )
        return notes

    def _frame(self, pixels: Pixels, timestamp: float, number: int) -> Iterator[Item]:
        faces = [face for face in self._finder.find(pixels) if self._large_enough(face)][
            : self.config.max_faces
        ]
        boxes = [face.box for face in faces]
        embeddings = [self._embedder.embed(pixels, face) for face in faces]
        identities = self._identities.assign(embeddings, boxes, timestamp)
        image_id = f"{self.video_id}_frame_{number}"
        for face, identity in zip(faces, identities, strict=True):
            self._rows += 1
            yield Item(list=coco.ANNOTATIONS, row=self._row(face, identity, image_id, timestamp, number))
        yield coco.image_row(image_id, self.media, self.video_id, number, timestamp)

    def _large_enough(self, face: Face) -> bool:
        _, _, width, height = face.box
        return min(width * self._scale[0], height * self._scale[1]) >= self.config.min_face_size

    def _row(self, face: Face, identity: int, image_id: str, timestamp: float, number: int) -> Row:
        left, top, width, height = self._inside(face)
        return {
            "id": self._rows,
            "image_id": image_id,
            "category_id": _CATEGORY["id"],
            "bbox": [round(value, 2) for value in (left, top, width, height)],
            "area": round(width * height, 2),
            "iscrowd": 0,
            "score": round(face.score, 4),
            "face_id": identity,
            "timestamp": coco.seconds(timestamp),
            "frame_number": number,
            "backend": _BACKEND,
            "landmarks": [
                [round(float(x) * self._scale[0], 2), round(float(y) * self._scale[1], 2)]
                for x, y in face.landmarks
            ],
        }

    def _inside(self, face: Face) -> tuple[float, float, float, float]:
        """The box in pixels of the video, cut off at its edges."""
        x, y, width, height = face.box
        left, top = max(0.0, x * self._scale[0]), max(0.0, y * self._scale[1])
        right = min(float(self.media.width), (x + width) * self._scale[0])
        bottom = min(float(self.media.height), (y + height) * self._scale[1])
        return left, top, max(0.0, right - left), max(0.0, bottom - top)
