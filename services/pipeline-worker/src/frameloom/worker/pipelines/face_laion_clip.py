"""Embeddings of faces and scores for many emotions, by networks of LAION that the operator brings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from frameloom.common.pipelines import ArtefactSpec, Item, Output, PipelineInfo, Row
from frameloom.worker.pipelines import coco
from frameloom.worker.pipelines.base import Only, without_effect
from frameloom.worker.pipelines.faces import files
from frameloom.worker.pipelines.faces.cropped import CroppedConfig, CroppedFaces
from frameloom.worker.pipelines.heads import heads, scores
from frameloom.worker.pipelines.supplied import unfit

if TYPE_CHECKING:
    import numpy.typing as npt

    from frameloom.worker.pipelines.faces.models import Face, Pixels

VERSION = "1.0.0"
ENCODER, HEADS = "laion-face-encoder", "laion-face-heads"

_SIDE = 384
_ROOM = 1.3
_HALF = (0.5, 0.5, 0.5)
_NAME = "laion/CLIP-ViT-B-32"
_PERSON: Row = {
    "person_id": "unknown",
    "person_label": "unknown",
    "person_label_confidence": 0.0,
    "person_labeling_method": "none",
}


class LaionFaceConfig(CroppedConfig):
    """Configuration of ``face_laion_clip``; has every key of VideoAnnotator's pipeline of this name."""

    model_name: Annotated[
        str, Only(_NAME, "The network behind the embeddings is the one that the operator supplied.")
    ] = _NAME
    embedding_dim: int = Field(
        512,
        ge=1,
        le=8192,
        description="Accepted so that VideoAnnotator's configurations pass: the file tells the length.",
        json_schema_extra=without_effect("the supplied network decides how long an embedding is"),
    )
    enable_emotion: bool = Field(default=True, description="Score emotions; off: only embeddings.")
    top_k_emotions: int = Field(
        43, ge=1, le=1000, description="How many of the strongest emotions a row has."
    )


class LaionFace(CroppedFaces):
    """One row per face per looked-at frame."""

    Config = LaionFaceConfig
    required_models = ("yunet", ENCODER, HEADS)
    brought: ClassVar[dict[str, str]] = {
        ENCODER: "an image encoder as ONNX, such as SigLIP 2 so400m",
        HEADS: "the emotion heads for it as safetensors, such as Empathic-Insight-Face-Small",
    }
    info: ClassVar[PipelineInfo] = PipelineInfo(
        name="face_laion_clip",
        version=VERSION,
        display_name="Face Embeddings and Attributes (LAION)",
        description="Gives each face an embedding and scores for many emotions, by networks "
        "that the operator supplied.",
        pipeline_family="face",
        variant="laion-clip-face",
        tasks=("face-embedding", "emotion-recognition"),
        modalities=("video",),
        capabilities=("embedding", "frame-level-analysis", "streaming"),
        backends=("opencv", "onnxruntime"),
        stability="experimental",
        outputs=(Output(format="JSON", types=("embeddings", "attributes")),),
        config_schema=LaionFaceConfig.model_json_schema(),
        examples=({"enable_emotion": False}, {"pps": 2, "top_k_emotions": 5}),
    )
    config: LaionFaceConfig

    def load(self) -> None:
        """Opens the networks, and looks whether they fit each other.

        Raises:
            ModelUnavailableError: One is missing, or another one than described.
        """
        from frameloom.worker.pipelines.onnx_files import network, normal, picture_side  # noqa: PLC0415 - onnxruntime

        for name in self._wanted():
            self.models.path(name)
        self._encoder = network(self.models, ENCODER)
        self._side = picture_side(ENCODER, self._encoder, _SIDE)
        self._colours = normal(self._encoder, _HALF, _HALF)
        self._output = "embedding" if "embedding" in self._encoder.outputs else self._encoder.outputs[0]
        self._heads = heads(self.models, HEADS) if self.config.enable_emotion else None
        self._length = 0

    def look(self, frames: list[tuple[Pixels, list[Face], Row]]) -> Iterator[Item]:
        """Rows of faces, and their embeddings."""
        from frameloom.worker.pipelines.faces.crops import cut, planes, square  # noqa: PLC0415 - OpenCV

        for pixels, faces, told in frames:
            if not faces:
                continue
            crops = np.stack([cut(pixels, *square(face.box, _ROOM), self._side) for face in faces])
            vectors = self._encoder.run(planes(crops, *self._colours), (self._output,))[self._output]
            if vectors.ndim != 2:
                raise unfit(ENCODER, f"its output {self._output} has the shape {vectors.shape}")
            self._length = vectors.shape[1]
            unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
            raw = None if self._heads is None else self._heads.raw(unit.astype(np.float32))
            for place, face in enumerate(faces):
                yield from self._rows_of(place, face, told, unit[place], None if raw is None else raw[place])

    def artefacts(self) -> tuple[ArtefactSpec, ...]:
        """The COCO file, and the embeddings."""
        info: Row = {
            "description": "Frameloom COCO export: faces and their emotions",
            "version": VERSION,
            "contents": {"emotions": self._heads is not None, "embedding_dim": self._length},
        }
        return (
            coco.artefact("_laion_face_annotations.json", info, [files.CATEGORY]),
            ArtefactSpec(
                suffix="_laion_embeddings.json",
                format="JSON",
                head={"info": {"model": ENCODER, "length": self._length, "similarity": "cosine"}},
                lists=(files.EMBEDDINGS,),
                counted=files.EMBEDDINGS,
            ),
        )

    def models_used(self) -> dict[str, str]:
        """Without the heads where no emotions were asked for."""
        return {name: self.models.digest(name) for name in self._wanted()}

    def _wanted(self) -> list[str]:
        return [name for name in self.required_models if name != HEADS or self.config.enable_emotion]

    def _rows_of(
        self,
        place: int,
        face: Face,
        told: Row,
        vector: npt.NDArray[np.float32],
        raw: npt.NDArray[np.float32] | None,
    ) -> Iterator[Item]:
        number, box = self.numbered(), self.box(face)
        row: Row = {
            "id": number,
            "image_id": told["image_id"],
            "category_id": files.CATEGORY["id"],
            "bbox": box,
            "area": round(box[2] * box[3], 2),
            "iscrowd": 0,
            "score": round(face.score, 4),
            "face_id": place,
            "timestamp": told["timestamp"],
            "frame_number": told["frame_number"],
            "backend": "yunet",
            **_PERSON,
        }
        if raw is not None and self._heads is not None:
            row["attributes"] = self._attributes(self._heads.names, raw)
        yield Item(list=coco.ANNOTATIONS, row=row)
        embedding: Row = {
            "annotation_id": number,
            "timestamp": told["timestamp"],
            "frame_number": told["frame_number"],
            "embedding": [round(float(value), 6) for value in vector],
        }
        yield Item(list=files.EMBEDDINGS, row=embedding)

    def _attributes(self, names: tuple[str, ...], raw: npt.NDArray[np.float32]) -> dict[str, Any]:
        best = list(scores(names, raw).items())[: self.config.top_k_emotions]
        return {
            "emotions": {
                name: {"score": round(said.share, 6), "rank": said.rank, "raw_score": round(said.raw, 6)}
                for name, said in best
            },
            "model_info": {"model_size": "supplied", "embedding_dim": self._length},
        }
