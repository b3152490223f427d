"""Cuts a video into scenes."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import ClassVar, Literal

from pydantic import Field

from frameloom.common.documents.task import FailureCategory
from frameloom.common.pipelines import ArtefactSpec, Item, MediaInfo, Output, PipelineInfo, Row, Segmentation
from frameloom.worker.errors import TaskError
from frameloom.worker.frames.base import FrameBatch, FrameRequest, Sampling, fit
from frameloom.worker.pipelines import coco
from frameloom.worker.pipelines.base import FramePipeline, SegmentableConfig, without_effect
from frameloom.worker.pipelines.pieces import Piece
from frameloom.worker.pipelines.scenes.base import Cut, CutDetector
from frameloom.worker.pipelines.scenes.stitching import joined, spaced

VERSION = "1.0.0"
SUFFIX = "_scene_detection.json"

_CONTENT_SIDE = 256
_TRANSNET_SIZE = (48, 27)
_CUTS = "_cuts"
_ENDS = "_ends"
"""Lists of what a segment leaves for the stitch: its cuts; its first frame, and the last."""
_CATEGORY = {
    "id": 1,
    "name": "scene",
    "supercategory": "video_segment",
    "description": "A stretch of the video between two cuts",
}
Export = Literal["csv", "webvtt", "elan", "parquet"]
_COLUMNS = [
    ("id", "id", "integer"),
    ("start", "start_time", "number"),
    ("end", "end_time", "number"),
    ("duration", "duration", "number"),
    ("frame_start", "frame_start", "integer"),
    ("frame_end", "frame_end", "integer"),
    ("scene_type", "scene_type", "text"),
    ("score", "score", "number"),
]
_FORMATS: dict[str, tuple[str, str, str]] = {
    "csv": ("_scene_detection.csv", "CSV", "text/csv"),
    "webvtt": ("_scene_detection.vtt", "WebVTT", "text/vtt"),
    "elan": ("_scene_detection.eaf", "ELAN", "application/xml"),
    "parquet": ("_scene_detection.parquet", "Parquet", "application/vnd.apache.parquet"),
}
_NO_LABELS = "scene_type is 'unknown': no model that labels scenes is installed"


class SceneConfig(SegmentableConfig):
    """Configuration of ``scene_detection``."""

    threshold: float = Field(
        30.0,
        ge=0.0,
        le=100.0,
        description="Content detector: change from frame to frame (0 to 255, mean of hue, saturation and "
        "brightness) from which on it is a cut.",
    )
    min_scene_length: float = Field(
        1.0, ge=0.0, le=3600.0, description="Shortest scene in seconds; shorter ones join their neighbour."
    )
    enable_clip_labels: bool = Field(
        default=True,
        description="Label scenes by their content, where a model for it is installed.",
        json_schema_extra=without_effect("no model that labels scenes is installed", when=[True]),
    )
    detector: Literal["content", "adaptive", "transnetv2"] = Field(
        "content",
        description="content: fast, hard cuts. adaptive: the same, but what moves all the time is no "
        "cut. transnetv2: a network, sees dissolves and fades too.",
    )
    adaptive_threshold: float = Field(
        3.0,
        ge=1.0,
        le=255.0,
        description="Adaptive detector: how many times more than around it a picture must change for a cut.",
    )
    transnetv2_threshold: float = Field(
        0.5, ge=0.0, le=1.0, description="TransNet V2: probability from which on it is a transition."
    )
    exports: tuple[Export, ...] = Field(
        (), max_length=4, description="Further files to write of the same scenes."
    )


class SceneDetection(FramePipeline):
    """Finds cuts and gives one row per scene."""

    Config = SceneConfig
    required_modules = ("cv2", "scenedetect")
    optional_models = ("transnetv2",)
    segmentation = Segmentation()
    info: ClassVar[PipelineInfo] = PipelineInfo(
        name="scene_detection",
        version=VERSION,
        display_name="Scene Detection",
        description="Finds the cuts of a video and lists its scenes.",
        pipeline_family="scene",
        variant="pyscenedetect-content",
        tasks=("scene-detection", "scene-segmentation"),
        modalities=("video",),
        capabilities=("batch", "streaming"),
        backends=("opencv", "pytorch"),
        stability="beta",
        outputs=(Output(format="JSON", types=("scene_boundary",)),),
        config_schema=SceneConfig.model_json_schema(),
        examples=(
            {"threshold": 27.0, "min_scene_length": 0.5},
            {"detector": "transnetv2", "exports": ["csv", "elan"]},
        ),
    )
    config: SceneConfig

    def load(self) -> None:
        """Loads the network, if it is asked for.

        Raises:
            TaskError: ``validation`` when torch is not installed on this worker.
        """
        if self.config.detector != "transnetv2":
            return
        if importlib.util.find_spec("torch") is None:
            raise TaskError(
                FailureCategory.VALIDATION,
                "The detector transnetv2 needs PyTorch, which is not installed on this worker; use content.",
            )
        from frameloom.worker.pipelines.scenes import transnet  # noqa: PLC0415 - torch takes seconds to import

        transnet.network(self.models)

    def begin(self, media: MediaInfo) -> None:
        """Opens the first scene."""
        super().begin(media)
        self._detector = self._make_detector(media)
        self._scenes = 0
        self._open: Cut | None = None
        self._held: tuple[Cut, Cut] | None = None
        self._last_frame = 0
        self._last_timestamp = 0.0

    def request(self, media: MediaInfo) -> FrameRequest:
        """Every frame, small: as large as the detector makes use of."""
        if self.config.detector == "transnetv2":
            return FrameRequest(
                Sampling.every_frame(), size=_TRANSNET_SIZE, colour="rgb", batch_size=50, scaling="bilinear"
            )
        return FrameRequest(
            Sampling.every_frame(),
            size=fit(media, _CONTENT_SIDE),
            colour="bgr",
            batch_size=32,
            scaling="area",
        )

    def process(self, batch: FrameBatch) -> Iterator[Item]:
        """Rows of the scenes that ended."""
        if self._open is None:
            self._open = Cut(int(batch.frame_numbers[0]), float(batch.timestamps[0]), 1.0)
        self._last_frame = int(batch.frame_numbers[-1])
        self._last_timestamp = float(batch.timestamps[-1])
        if self.span is not None:
            yield from _told(_CUTS, self._detector.feed(batch))
            return
        yield from self._close_at(self._detector.feed(batch))
        # A scene is held back until the next one is long enough to stand alone: it may have to take it in.
        if (
            self._held is not None
            and self._last_timestamp - self._open.timestamp >= self.config.min_scene_length
        ):
            yield from self._release(*self._held)
            self._held = None

    def finish(self) -> Iterator[Item]:
        """Rows of the last scenes."""
        if self._open is None:
            return
        if self.span is not None:
            yield from _told(_CUTS, self._detector.flush())
            yield from _told(_ENDS, [self._open, Cut(self._last_frame, self._last_timestamp, 1.0)])
            return
        yield from self._end(self._detector.flush())

    def stitch(self, pieces: Sequence[Piece]) -> Iterator[Item]:
        """Rows of all scenes, from the cuts that the segments have found."""
        seen = [(piece, ends) for piece in pieces if (ends := _cuts(piece, _ENDS))]
        if not seen:
            return
        (_, (self._open, _)), (_, (_, last)) = seen[0], seen[-1]
        self._last_frame, self._last_timestamp = last.frame, last.timestamp
        changes = list(joined([(piece.span, _cuts(piece, _CUTS)) for piece, _ in seen]))
        rule = self._rule()
        yield from self._end(rule(changes, self._open, last, self.media, self.config.min_scene_length))

    def _end(self, cuts: Iterable[Cut]) -> Iterator[Item]:
        """The last cuts, then the end of the video."""
        yield from self._close_at(cuts)
        assert self._open is not None
        after = self._last_timestamp + 1.0 / self.media.fps
        end = Cut(self._last_frame + 1, max(self.media.duration_seconds, after), 1.0)
        if self._held is not None and end.timestamp - self._open.timestamp < self.config.min_scene_length:
            yield from self._release(self._held[0], end)
            return
        if self._held is not None:
            yield from self._release(*self._held)
        yield from self._release(self._open, end)

    def artefacts(self) -> tuple[ArtefactSpec, ...]:
        """COCO and the exports; ``scenes`` repeats ``annotations`` for viewers that look there."""
        info: Row = {
            "description": "Frameloom COCO export: scenes",
            "version": VERSION,
            "detector": self.config.detector,
        }
        if self.config.enable_clip_labels:
            info["notes"] = [_NO_LABELS]
        main = coco.artefact(SUFFIX, info, [_CATEGORY], copies={"scenes": coco.ANNOTATIONS})
        return main, *(_export(name) for name in dict.fromkeys(self.config.exports))

    def models_used(self) -> dict[str, str]:
        """The network's digest, when it was used."""
        return (
            {"transnetv2": self.models.digest("transnetv2")} if self.config.detector == "transnetv2" else {}
        )

    def _make_detector(self, media: MediaInfo) -> CutDetector:
        # What is short shows in the whole only, so segments leave nothing out.
        least = 0.0 if self.span else self.config.min_scene_length
        if self.config.detector == "transnetv2":
            from frameloom.worker.pipelines.scenes import transnet  # noqa: PLC0415

            network = transnet.network(self.models)
            return transnet.TransNetCuts(network, self.config.transnetv2_threshold, least)
        from frameloom.worker.pipelines.scenes.content import ContentCuts  # noqa: PLC0415 - imports OpenCV

        adaptive = self.config.detector == "adaptive"
        threshold = self.config.adaptive_threshold if adaptive else self.config.threshold
        return ContentCuts(media, threshold, least, adaptive=adaptive)

    def _rule(self) -> Callable[[Sequence[Cut], Cut, Cut, MediaInfo, float], Iterator[Cut]]:
        """Which changes are cuts."""
        if self.config.detector != "content":
            return spaced
        from frameloom.worker.pipelines.scenes import content  # noqa: PLC0415 - imports OpenCV

        return content.lasting

    def _close_at(self, cuts: Iterable[Cut]) -> Iterator[Item]:
        for cut in cuts:
            if self._open is None:
                continue
            if self._held is not None:
                yield from self._release(*self._held)
            self._held, self._open = (self._open, cut), cut

    def _release(self, begin: Cut, end: Cut) -> Iterator[Item]:
        self._scenes += 1
        middle = (begin.timestamp + end.timestamp) / 2
        frame = (begin.frame + max(begin.frame, end.frame - 1)) // 2
        image_id = f"{self.video_id}_frame_{frame:06d}"
        row: Row = {
            "id": self._scenes,
            "image_id": image_id,
            "category_id": _CATEGORY["id"],
            "bbox": [0, 0, self.media.width, self.media.height],
            "area": self.media.width * self.media.height,
            "iscrowd": 0,
            "score": round(begin.score, 4),
            "video_id": self.video_id,
            "timestamp": coco.seconds(middle),
            "start_time": coco.seconds(begin.timestamp),
            "end_time": coco.seconds(end.timestamp),
            "duration": coco.seconds(end.timestamp - begin.timestamp),
            "scene_type": "unknown",
            "frame_start": begin.frame,
            "frame_end": end.frame,
            "all_scores": {},
        }
        yield Item(list=coco.ANNOTATIONS, row=row)
        yield coco.image_row(image_id, self.media, self.video_id, frame, middle)


def _export(name: Export) -> ArtefactSpec:
    suffix, title, media_type = _FORMATS[name]
    return ArtefactSpec(
        suffix=suffix,
        format=title,
        media_type=media_type,
        writer=name,
        options={"text": "id", "prefix": "Scene ", "unnamed": "scenes", "columns": _COLUMNS},
    )


def _told(name: str, cuts: Iterable[Cut]) -> Iterator[Item]:
    return (Item(list=name, row=asdict(cut)) for cut in cuts)


def _cuts(piece: Piece, name: str) -> list[Cut]:
    return [Cut(**item.row) for item in piece.items(name)]
