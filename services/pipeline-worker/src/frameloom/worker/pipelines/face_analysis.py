"""Finds faces, tells whether two of them are the same person, and which emotions they show."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

from frameloom.common.documents.task import FailureCategory
from frameloom.common.pipelines import ArtefactSpec, Item, MediaInfo, Output, PipelineInfo, Row
from frameloom.worker.frames.base import FrameBatch, FrameRequest, Sampling, fit
from frameloom.worker.models.spec import ModelUnavailableError
from frameloom.worker.pipelines import coco
from frameloom.worker.pipelines.base import FramePipeline
from frameloom.worker.pipelines.faces import files
from frameloom.worker.pipelines.faces.config import EMOTIONS, EXPRESSION_FILES, LANDMARK_FILES, FaceConfig
from frameloom.worker.pipelines.faces.identities import IdentityTracker
from frameloom.worker.pipelines.faces.moods import MoodSmoother

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from frameloom.worker.pipelines.faces.expressions import ExpressionReader, LandmarkFinder
    from frameloom.worker.pipelines.faces.models import Embedding, Face, Pixels

VERSION = "1.1.0"

_BACKEND = "yunet"
_WORKING_SIDE = 1280
"""Longest side of the frames that are asked for: to tell small faces apart takes pixels."""


class FaceAnalysis(FramePipeline):
    """Gives one row per face per looked-at frame, with box, landmarks, identity and emotion."""

    Config = FaceConfig
    required_models = ("yunet", "sface")
    optional_models = (*EXPRESSION_FILES, *LANDMARK_FILES)
    required_modules = ("cv2",)
    info: ClassVar[PipelineInfo] = PipelineInfo(
        name="face_analysis",
        version=VERSION,
        display_name="Face Analysis",
        description="Finds faces with landmarks and emotions, and follows who is who through the video.",
        pipeline_family="face",
        variant="yunet-sface",
        tasks=("face-detection", "face-recognition", "emotion-recognition"),
        modalities=("video",),
        capabilities=("frame-level-analysis", "identity", "person-linking", "streaming"),
        backends=("opencv", "pytorch"),
        stability="beta",
        outputs=(Output(format="COCO", types=("face_detections", "face_identities", "emotions")),),
        config_schema=FaceConfig.model_json_schema(),
        examples=(
            {"pps": 2, "confidence_threshold": 0.8},
            {"detection_size": 1280, "min_face_size": 15, "max_faces": 100},
            {"landmarks_68": True, "exports": ["emotion", "csv"]},
        ),
    )
    config: FaceConfig

    def load(self) -> None:
        """Loads the networks that this configuration needs.

        Raises:
            ModelUnavailableError: One that was asked for by name can not be had.
        """
        from frameloom.worker.pipelines.faces.models import FaceEmbedder, FaceFinder  # noqa: PLC0415 - OpenCV

        FaceFinder(self.models, (320, 320), self.config.confidence_threshold)
        self._embedder = FaceEmbedder(self.models)
        self._expressions: ExpressionReader | None = None
        self._points: LandmarkFinder | None = None
        self._no_emotions = self._why_not(EXPRESSION_FILES) if self.config.wants_emotions else None
        if self._no_emotions is not None and self.config.emotion_backend == "face-api":
            raise ModelUnavailableError(FailureCategory.PROVIDER_TERMINAL, self._no_emotions)
        if self.config.wants_emotions and self._no_emotions is None:
            from frameloom.worker.pipelines.faces.expressions import ExpressionReader  # noqa: PLC0415 - torch

            self._expressions = ExpressionReader(self.models)
        if self.config.landmarks_68:
            if (reason := self._why_not(LANDMARK_FILES)) is not None:
                raise ModelUnavailableError(FailureCategory.PROVIDER_TERMINAL, reason)
            from frameloom.worker.pipelines.faces.expressions import LandmarkFinder  # noqa: PLC0415 - torch

            self._points = LandmarkFinder(self.models)

    def begin(self, media: MediaInfo) -> None:
        """Forgets all identities."""
        from frameloom.worker.pipelines.faces.models import FaceFinder  # noqa: PLC0415 - OpenCV

        super().begin(media)
        self._working = fit(media, _WORKING_SIDE)
        self._scale = (media.width / self._working[0], media.height / self._working[1])
        searched = fit(media, min(self.config.detection_size, _WORKING_SIDE))
        self._finder = FaceFinder(self.models, searched, self.config.confidence_threshold)
        self._identities = IdentityTracker(self.config.identity_threshold)
        self._moods = MoodSmoother(self.config.emotion_smoothing_seconds)
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
        """The COCO file, those of ``exports``, and the faces with their persons.

        ``contents`` says which kinds of fields the rows have.
        """
        info: Row = {
            "description": "Frameloom COCO export: faces",
            "version": VERSION,
            "contents": {
                "identities": len(self._identities),
                "emotions": self._expressions is not None,
                "landmarks_68": self._points is not None,
                "age": False,
                "gender": False,
            },
            "notes": self._notes(),
        }
        words = EMOTIONS if self._expressions is not None else ()
        more = files.exports(self.config.exports, words, 1.0 / self.config.pps)
        links = (files.links_file(info, self.config.person_identity),) if self.config.links else ()
        return files.main_file(info), *more, *links

    def models_used(self) -> dict[str, str]:
        """With the networks for emotions and points where they were asked."""
        names = EXPRESSION_FILES if self._expressions is not None else ()
        more = LANDMARK_FILES if self._points is not None else ()
        return {**super().models_used(), **{name: self.models.digest(name) for name in (*names, *more)}}

    def _why_not(self, names: Sequence[str]) -> str | None:
        """Why these networks can not run here."""
        if importlib.util.find_spec("torch") is None:
            return "PyTorch is not installed on the worker."
        return next((self.models.why_not(name) for name in names if not self.models.can_provide(name)), None)

    def _notes(self) -> list[str]:
        config = self.config
        asked = {"age": config.detect_age, "gender": config.detect_gender}
        notes = [f"{name}: asked for, but not estimated" for name, wanted in asked.items() if wanted]
        if self._no_emotions is not None:
            notes.append(f"emotions: not estimated. {self._no_emotions}")
            if "emotion" in config.exports:
                notes.append("exports: no emotion file, because no emotions were estimated")
        if config.detection_backend not in {_BACKEND, "auto"}:
            notes.append(
                f"detection_backend: {config.detection_backend} is not installed, {_BACKEND} was used"
            )
        if config.wants_emotions and config.emotion_backend == "deepface":
            notes.append("emotion_backend: deepface is not installed, face-api's network was used")
        return notes

    def _frame(self, pixels: Pixels, timestamp: float, number: int) -> Iterator[Item]:
        faces = [face for face in self._finder.find(pixels) if self._large_enough(face)][
            : self.config.max_faces
        ]
        boxes = [face.box for face in faces]
        embeddings = [self._embedder.embed(pixels, face) for face in faces]
        identities = self._identities.assign(embeddings, boxes, timestamp)
        more = self._more(pixels, boxes, identities, timestamp)
        image_id = f"{self.video_id}_frame_{number}"
        for face, identity, fields, embedding in zip(faces, identities, more, embeddings, strict=True):
            self._rows += 1
            row = {**self._row(face, identity, image_id, timestamp, number), **fields}
            yield Item(list=coco.ANNOTATIONS, row=row)
            if "embeddings" in self.config.exports:
                yield Item(list=files.EMBEDDINGS, row=_embedding_row(row, embedding))
        yield coco.image_row(image_id, self.media, self.video_id, number, timestamp)

    def _more(
        self,
        pixels: Pixels,
        boxes: Sequence[tuple[float, float, float, float]],
        identities: Sequence[int],
        timestamp: float,
    ) -> list[Row]:
        """What the further networks say of each face."""
        rows: list[Row] = [{} for _ in boxes]
        if self._expressions is not None:
            scores = self._expressions.read(pixels, boxes)
            for row, identity, now in zip(rows, identities, scores, strict=True):
                row.update(_mood(now, self._moods.add(identity, now, timestamp)))
        if self._points is not None:
            for row, points in zip(rows, self._points.find(pixels, boxes), strict=True):
                row["landmarks_68"] = self._in_video(points)
        return rows

    def _large_enough(self, face: Face) -> bool:
        _, _, width, height = face.box
        return min(width * self._scale[0], height * self._scale[1]) >= self.config.min_face_size

    def _row(self, face: Face, identity: int, image_id: str, timestamp: float, number: int) -> Row:
        left, top, width, height = self._inside(face)
        return {
            "id": self._rows,
            "image_id": image_id,
            "category_id": files.CATEGORY["id"],
            "bbox": [round(value, 2) for value in (left, top, width, height)],
            "area": round(width * height, 2),
            "iscrowd": 0,
            "score": round(face.score, 4),
            "face_id": identity,
            "timestamp": coco.seconds(timestamp),
            "frame_number": number,
            "backend": _BACKEND,
            "landmarks": self._in_video(face.landmarks),
        }

    def _in_video(self, points: npt.NDArray[np.float32]) -> list[list[float]]:
        """Points in pixels of the video."""
        return [[round(float(x) * self._scale[0], 2), round(float(y) * self._scale[1], 2)] for x, y in points]

    def _inside(self, face: Face) -> tuple[float, float, float, float]:
        """The box in pixels of the video, cut off at its edges."""
        x, y, width, height = face.box
        left, top = max(0.0, x * self._scale[0]), max(0.0, y * self._scale[1])
        right = min(float(self.media.width), (x + width) * self._scale[0])
        bottom = min(float(self.media.height), (y + height) * self._scale[1])
        return left, top, max(0.0, right - left), max(0.0, bottom - top)


def _mood(now: npt.NDArray[np.float32], scores: npt.NDArray[np.float64]) -> Row:
    """The emotion in the fields of VideoAnnotator's file, and where its viewer looks for it."""
    likeliest = int(scores.argmax())
    ranks = {int(place): rank for rank, place in enumerate((-scores).argsort(kind="stable"), start=1)}
    return {
        "emotion": EMOTIONS[likeliest],
        "emotion_confidence": round(float(scores[likeliest]), 4),
        "emotion_scores": {
            word: round(float(score), 4) for word, score in zip(EMOTIONS, scores, strict=True)
        },
        "attributes": {
            "emotions": {
                word: {
                    "score": round(float(scores[place]), 4),
                    "rank": ranks[place],
                    "raw_score": round(float(now[place]), 4),
                }
                for place, word in enumerate(EMOTIONS)
            },
            "model_info": {"model_size": "face-api", "embedding_dim": 128},
        },
    }


def _embedding_row(face: Row, embedding: Embedding) -> Row:
    return {
        "annotation_id": face["id"],
        "face_id": face["face_id"],
        "timestamp": face["timestamp"],
        "frame_number": face["frame_number"],
        "embedding": [round(float(value), 5) for value in embedding],
    }
