"""What pipelines share that find faces with YuNet and look at each through a network of the operator's."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from frameloom.common.pipelines import Item, MediaInfo, Row
from frameloom.worker.frames.base import FrameBatch, FrameRequest, Sampling, fit
from frameloom.worker.pipelines import coco
from frameloom.worker.pipelines.base import FramePipeline, PipelineConfig
from frameloom.worker.pipelines.supplied import SuppliedModels

if TYPE_CHECKING:
    from frameloom.worker.pipelines.faces.models import Face, Pixels

_WORKING_SIDE = 1280
_SEARCHED_SIDE = 640


class CroppedConfig(PipelineConfig):
    """Which faces are looked at."""

    pps: float = Field(1.0, gt=0.0, le=240.0, description="Frames per second of video to look at.")
    confidence_threshold: float = Field(0.7, ge=0.0, le=1.0, description="Least score of a face.")
    min_face_size: int = Field(
        32, ge=1, le=10_000, description="Least width and height of a face, in video pixels."
    )
    max_faces: int = Field(10, ge=1, le=100, description="Most faces per frame; the best are kept.")


class CroppedFaces(SuppliedModels, FramePipeline):
    """Finds faces and hands those of each batch of frames to a subclass."""

    required_modules: ClassVar[tuple[str, ...]] = ("cv2", "onnxruntime")
    config: CroppedConfig

    @abstractmethod
    def look(self, frames: list[tuple[Pixels, list[Face], Row]]) -> Iterator[Item]:
        """Rows of the faces of some frames; each frame comes with its time, number and image id."""

    def begin(self, media: MediaInfo) -> None:
        """Prepares the search for this size of picture."""
        from frameloom.worker.pipelines.faces.models import FaceFinder  # noqa: PLC0415 - OpenCV

        super().begin(media)
        working = fit(media, _WORKING_SIDE)
        self._scale = media.width / working[0], media.height / working[1]
        self._finder = FaceFinder(self.models, fit(media, _SEARCHED_SIDE), self.config.confidence_threshold)
        self._rows = 0

    def request(self, media: MediaInfo) -> FrameRequest:
        """``pps`` frames a second."""
        return FrameRequest(
            Sampling.per_second(self.config.pps), size=fit(media, _WORKING_SIDE), colour="bgr", batch_size=8,
            scaling="area",
        )  # fmt: skip

    def process(self, batch: FrameBatch) -> Iterator[Item]:
        """Rows of these frames, then of the frames themselves."""
        frames, images = [], []
        for pixels, time, number in zip(batch.pixels, batch.timestamps, batch.frame_numbers, strict=True):
            faces = [face for face in self._finder.find(pixels) if self._large_enough(face)]
            image_id = f"{self.video_id}_frame_{int(number)}"
            fields: Row = {
                "image_id": image_id,
                "timestamp": coco.seconds(float(time)),
                "frame_number": int(number),
            }
            frames.append((pixels, faces[: self.config.max_faces], fields))
            images.append(coco.image_row(image_id, self.media, self.video_id, int(number), float(time)))
        yield from self.look(frames)
        yield from images

    def numbered(self) -> int:
        """The next row's id."""
        self._rows += 1
        return self._rows

    def box(self, face: Face) -> list[float]:
        """Left, top, width, height in pixels of the video, cut off at its edges."""
        x, y, width, height = face.box
        left, top = max(0.0, x * self._scale[0]), max(0.0, y * self._scale[1])
        right = min(float(self.media.width), (x + width) * self._scale[0])
        bottom = min(float(self.media.height), (y + height) * self._scale[1])
        return [round(value, 2) for value in (left, top, max(0.0, right - left), max(0.0, bottom - top))]

    def point(self, x: float, y: float) -> list[float]:
        """A point of the frame that was looked at, in pixels of the video."""
        return [round(x * self._scale[0], 2), round(y * self._scale[1], 2)]

    def _large_enough(self, face: Face) -> bool:
        _, _, width, height = face.box
        return min(width * self._scale[0], height * self._scale[1]) >= self.config.min_face_size
