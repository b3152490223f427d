"""Embeddings, landmarks and action units of faces by an OpenFace 3 network that the operator brings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from frameloom.common.pipelines import ArtefactSpec, Item, Output, PipelineInfo, Row
from frameloom.worker.pipelines import coco
from frameloom.worker.pipelines.base import Only
from frameloom.worker.pipelines.faces import openface
from frameloom.worker.pipelines.faces.cropped import CroppedConfig, CroppedFaces
from frameloom.worker.pipelines.supplied import unfit

if TYPE_CHECKING:
    import numpy.typing as npt

    from frameloom.worker.pipelines.faces.models import Face, Pixels

VERSION = "1.0.0"
MODEL = "openface3"
FACES = "faces"

_SIDE = 224
_ROOM = 1.2
_MEAN, _SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_CATEGORY: dict[str, Any] = {"id": 1, "name": "face", "supercategory": "person"}
_SEEN = 2
_PATH = "models/face/openface3.onnx"


class OpenFaceConfig(CroppedConfig):
    """Configuration of ``face_openface3_embedding``; has every key of VideoAnnotator's."""

    model_path: Annotated[
        str,
        Only(_PATH, "No job names a file of a worker: the network is the one that the operator supplied."),
    ] = _PATH
    batch_size: int = Field(32, ge=1, le=1024, description="Faces per call of the network, at most.")


class OpenFaceEmbedding(CroppedFaces):
    """One row per face per looked-at frame."""

    Config = OpenFaceConfig
    required_models = ("yunet", MODEL)
    brought: ClassVar[dict[str, str]] = {
        MODEL: "an OpenFace 3 network as ONNX, from the project's own weights"
    }
    info: ClassVar[PipelineInfo] = PipelineInfo(
        name="face_openface3_embedding",
        version=VERSION,
        display_name="Face Embeddings (OpenFace 3)",
        description="Gives each face an embedding, landmarks, action units, head pose, gaze and emotion, "
        "as far as the network that the operator supplied has them.",
        pipeline_family="face",
        variant="openface3-embedding",
        tasks=("face-embedding",),
        modalities=("video",),
        capabilities=("embedding", "frame-level-analysis", "streaming"),
        backends=("opencv", "onnxruntime"),
        stability="experimental",
        outputs=(Output(format="JSON", types=("embeddings",)),),
        config_schema=OpenFaceConfig.model_json_schema(),
        examples=({"min_face_size": 64}, {"pps": 5, "batch_size": 8}),
    )
    config: OpenFaceConfig

    def load(self) -> None:
        """Opens the networks, and looks whether the supplied one is what is described.

        Raises:
            ModelUnavailableError: It is missing, or another one.
        """
        from frameloom.worker.pipelines.onnx_files import network, normal, picture_side  # noqa: PLC0415 - onnxruntime

        super().load()
        self._network = network(self.models, MODEL)
        self._side = picture_side(MODEL, self._network, _SIDE)
        self._colours = normal(self._network, _MEAN, _SPREAD)
        if openface.EMBEDDING not in self._network.outputs:
            raise unfit(MODEL, f"it has no output called {openface.EMBEDDING}")
        self._more = tuple(name for name in openface.OPTIONAL if name in self._network.outputs)

    def look(self, frames: list[tuple[Pixels, list[Face], Row]]) -> Iterator[Item]:
        """Two rows a face: one for the COCO file, one with all features."""
        from frameloom.worker.pipelines.faces.crops import cut, square  # noqa: PLC0415 - OpenCV

        found = [(pixels, face, told) for pixels, faces, told in frames for face in faces]
        for begin in range(0, len(found), self.config.batch_size):
            part = found[begin : begin + self.config.batch_size]
            places = [square(face.box, _ROOM) for _, face, _ in part]
            crops = [
                cut(pixels, *place, self._side) for (pixels, _, _), place in zip(part, places, strict=True)
            ]
            outputs = self._said(np.stack(crops))
            for i, ((_, face, told), place) in enumerate(zip(part, places, strict=True)):
                yield from self._rows_of(face, told, place, {name: v[i] for name, v in outputs.items()})

    def artefacts(self) -> tuple[ArtefactSpec, ...]:
        """The COCO file, and all features."""
        told: Row = {
            "pipeline": self.info.name,
            "model_info": {"network": MODEL, "outputs": [openface.EMBEDDING, *self._more]},
            "config": self.config.model_dump(mode="json"),
        }
        # The viewer knows the file by the word VideoAnnotator here.
        words = "COCO export of faces, with the fields of VideoAnnotator's OpenFace 3 pipeline"
        info: Row = {"description": words, "version": VERSION, "faces": self._rows, "outputs": [*self._more]}
        return (
            coco.artefact("_openface3_analysis.json", info, [_CATEGORY]),
            ArtefactSpec(
                suffix="_openface3_detailed.json",
                format="JSON",
                head={"metadata": told},
                lists=(FACES,),
                counted=FACES,
            ),
        )

    def _said(self, crops: npt.NDArray[np.uint8]) -> dict[str, npt.NDArray[np.float32]]:
        from frameloom.worker.pipelines.faces.crops import planes  # noqa: PLC0415 - OpenCV

        outputs = self._network.run(planes(crops, *self._colours), (openface.EMBEDDING, *self._more))
        for name in self._more:
            shape = (len(crops), *openface.OPTIONAL[name])
            if outputs[name].size != np.prod(shape):
                raise unfit(MODEL, f"its output {name} has the shape {outputs[name].shape}, not {shape}")
            outputs[name] = outputs[name].reshape(shape)
        return outputs

    def _rows_of(
        self,
        face: Face,
        told: Row,
        place: tuple[float, float, float],
        found: dict[str, npt.NDArray[np.float32]],
    ) -> Iterator[Item]:
        number, box = self.numbered(), self.box(face)
        left, top, side = place
        points = [
            self.point(left + float(x) * side, top + float(y) * side)
            for x, y in found.get(openface.LANDMARKS, ())
        ]
        features = openface.fields(found, points)
        keypoints = [value for x, y in points for value in (x, y, _SEEN)] or [0] * (3 * openface.POINTS)
        # No "score": with that word the viewer takes the file for one of face_analysis.
        row: Row = {
            "id": number,
            **told,
            "category_id": _CATEGORY["id"],
            "bbox": box,
            "area": round(box[2] * box[3], 2),
            "iscrowd": 0,
            "keypoints": keypoints,
            "num_keypoints": len(points),
            "openface3": {"confidence": round(face.score, 4), "timestamp": told["timestamp"], **features},
        }
        yield Item(list=coco.ANNOTATIONS, row=row)
        embedding = [round(float(value), 6) for value in found[openface.EMBEDDING].reshape(-1)]
        detail: Row = {
            "annotation_id": number,
            "bbox": box,
            "timestamp": told["timestamp"],
            "features": {"confidence": round(face.score, 4), openface.EMBEDDING: embedding, **features},
        }
        yield Item(list=FACES, row=detail)
