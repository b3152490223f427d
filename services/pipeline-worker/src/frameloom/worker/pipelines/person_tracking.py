"""Finds persons and follows each through the video."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from frameloom.common.pipelines import ArtefactSpec, Item, MediaInfo, Output, PipelineInfo, Row
from frameloom.worker.frames.base import FrameBatch, FrameRequest, Sampling
from frameloom.worker.pipelines import coco
from frameloom.worker.pipelines.base import FramePipeline, PipelineConfig, without_effect
from frameloom.worker.pipelines.persons import files
from frameloom.worker.pipelines.persons.bytetrack import ByteTracker, Track
from frameloom.worker.pipelines.persons.motion import Numbers
from frameloom.worker.pipelines.persons.people import UNLABELLED, People, Person, size_label

if TYPE_CHECKING:
    import numpy.typing as npt

    from frameloom.worker.pipelines.persons.detector import Detections

VERSION = "1.0.0"

_SIDE = 416
_BATCH = 4
_LOOK_SECONDS = 1.0
"""How often the appearance of somebody who is followed is looked at."""
_YOLO = [
    f"{folder}yolo11{size}-pose.pt" for folder in ("models/yolo/", "") for size in ("n", "s", "m", "l", "x")
]
Model = Literal[
    "nanodet-g-416",
    "models/yolo/yolo11n-pose.pt",
    "models/yolo/yolo11s-pose.pt",
    "models/yolo/yolo11m-pose.pt",
    "models/yolo/yolo11l-pose.pt",
    "models/yolo/yolo11x-pose.pt",
    "yolo11n-pose.pt",
    "yolo11s-pose.pt",
    "yolo11m-pose.pt",
    "yolo11l-pose.pt",
    "yolo11x-pose.pt",
]
Export = Literal["mot", "cvat", "csv", "parquet"]


class PersonConfig(PipelineConfig):
    """Configuration of ``person_tracking``; has every key of VideoAnnotator's pipeline of this name."""

    model: Model = Field(
        "nanodet-g-416",
        description="Network that finds persons. The names of VideoAnnotator's networks are accepted.",
        json_schema_extra=without_effect(
            "YOLO11's licence (AGPL) keeps it out; nanodet-g-416 is used, which has no body points",
            when=_YOLO,
        ),
    )
    pps: float = Field(10.0, gt=0.0, le=240.0, description="Frames per second of video to look at.")
    conf_threshold: float = Field(
        0.4, ge=0.0, le=1.0, description="Least score of a person; someone followed already may have less."
    )
    start_threshold: float = Field(
        0.5,
        ge=0.0,
        le=1.0,
        description="Least score of a box that begins a track, where it is above conf_threshold.",
    )
    low_threshold: float = Field(
        0.1, ge=0.01, le=1.0, description="Least score of a box that continues a track."
    )
    iou_threshold: float = Field(
        0.5, ge=0.0, le=1.0, description="Overlap from which on two boxes count as one person."
    )
    max_persons: int = Field(50, ge=1, le=100, description="Most persons per frame; the best are kept.")
    track_mode: bool = Field(
        default=True, description="Follow persons from frame to frame. Off: each frame stands alone."
    )
    lost_seconds: float = Field(
        1.0, ge=0.0, le=60.0, description="How long a track waits for a person who is hidden."
    )
    relink: bool = Field(
        default=True, description="Join a new track to a person who left shortly before and looks alike."
    )
    relink_seconds: float = Field(
        10.0, ge=0.0, le=600.0, description="How long a person may be away and be known again."
    )
    relink_threshold: float = Field(
        0.8, ge=0.0, le=1.0, description="Least cosine similarity of the appearances that are joined."
    )
    label_by_size: bool = Field(
        default=True, description="Label persons as parent or infant by their size beside each other."
    )
    infant_height_ratio: float = Field(
        0.55, gt=0.0, le=0.8, description="Height, beside the tallest person, up to which one is an infant."
    )
    precision: Literal["float32", "bfloat16"] = Field(
        "float32", description="Numbers that the network computes with; bfloat16 is faster on new processors."
    )
    exports: list[Export] = Field([], max_length=4, description="Further files with the same boxes.")


@dataclass(slots=True, eq=False)
class _Held:
    """A frame whose rows wait for the next one: only that tells which new tracks are true."""

    timestamp: float
    number: int
    boxes: Numbers
    scores: Numbers
    tracks: list[Track | None]


class PersonTracking(FramePipeline):
    """Gives one row per person per looked-at frame, and one per person."""

    Config = PersonConfig
    required_models = ("nanodet", "nanodet-graph", "mobilenetv2-bottleneck")
    required_modules = ("torch", "scipy")
    info: ClassVar[PipelineInfo] = PipelineInfo(
        name="person_tracking",
        version=VERSION,
        display_name="Person Tracking",
        description="Finds persons and follows each through the video, also when hidden for a moment.",
        pipeline_family="person",
        variant="nanodet-bytetrack",
        tasks=("object-tracking", "person-detection"),
        modalities=("video",),
        capabilities=("frame-level-analysis", "identity-persistence", "streaming"),
        backends=("pytorch",),
        stability="beta",
        outputs=(Output(format="COCO", types=("person_detection", "tracking")),),
        config_schema=PersonConfig.model_json_schema(),
        examples=({"pps": 5, "conf_threshold": 0.5}, {"exports": ["mot", "csv"], "relink": False}),
    )
    config: PersonConfig

    def load(self) -> None:
        """Loads the networks that this configuration needs."""
        from frameloom.worker.pipelines.persons.appearance import AppearanceEmbedder  # noqa: PLC0415 - torch
        from frameloom.worker.pipelines.persons.detector import PersonDetector  # noqa: PLC0415 - torch

        self._detector = PersonDetector(self.models, self.config.precision)
        self._embedder = AppearanceEmbedder(self.models) if self._relinks else None

    def begin(self, media: MediaInfo) -> None:
        """Forgets everybody."""
        super().begin(media)
        config = self.config
        self._scale = np.array([media.width, media.height] * 2, np.float64)
        self._tracker = ByteTracker(
            config.conf_threshold, config.lost_seconds, start_score=config.start_threshold
        )
        self._people = People(config.relink_seconds if config.relink else 0.0, config.relink_threshold)
        self._held: _Held | None = None
        self._rows = 0
        self._labelled = 0
        self._looked: dict[int, float] = {}

    def request(self, media: MediaInfo) -> FrameRequest:  # noqa: ARG002 - every video is stretched alike
        """``pps`` frames a second, stretched to the network's size by the decoder's own scaler."""
        return FrameRequest(
            Sampling.per_second(self.config.pps), size=(_SIDE, _SIDE), colour="bgr", batch_size=_BATCH
        )

    def process(self, batch: FrameBatch) -> Iterator[Item]:
        """Rows of the frames before the last one, and persons who have left for good."""
        config = self.config
        least = (
            min(config.low_threshold, config.conf_threshold) if config.track_mode else config.conf_threshold
        )
        found = self._detector.find(
            batch.pixels, least_score=least, overlap=config.iou_threshold, most=config.max_persons
        )
        times = zip(batch.timestamps, batch.frame_numbers, strict=True)
        for pixels, persons, (time, number) in zip(batch.pixels, found, times, strict=True):
            yield from self._frame(pixels, persons, float(time), int(number))

    def finish(self) -> Iterator[Item]:
        """The last frame, and everybody who was there until the end."""
        yield from self._release()
        for person in self._people.rest():
            yield self._person_row(person)

    def artefacts(self) -> tuple[ArtefactSpec, ...]:
        """The COCO file, the list of persons, and the files of ``exports``."""
        notes = ["keypoints: no network for body points is installed; all are 0 with visibility 0"]
        if self.config.model in _YOLO:
            notes.append(f"model: {self.config.model} is not installed, nanodet-g-416 was used")
        info: Row = {
            "description": "Frameloom COCO export: persons",
            "version": VERSION,
            "contents": {"persons": self._people.count, "relinked": self._people.joined, "keypoints": False},
            "notes": notes,
        }
        metadata: Row = {
            "total_persons": self._people.count,
            "labeled_persons": self._labelled,
            "id_format": f"person_{self.video_id}_NNN",
            "detections_summary": {"detections": self._rows, "relinked_tracks": self._people.joined},
        }
        return (
            files.main_file(info),
            files.persons_file(self.video_id, metadata),
            *files.exports(self.config.exports),
        )

    def models_used(self) -> dict[str, str]:
        """Without the network for appearance where it was not asked."""
        used = super().models_used()
        if not self._relinks:
            del used["mobilenetv2-bottleneck"]
        return used

    @property
    def _relinks(self) -> bool:
        return self.config.track_mode and self.config.relink

    def _frame(
        self, pixels: npt.NDArray[np.uint8], found: Detections, timestamp: float, number: int
    ) -> Iterator[Item]:
        boxes, scores = found.boxes * self._scale, found.scores.astype(np.float64)
        tracks: list[Track | None] = [None] * len(found)
        if self.config.track_mode:
            tracks = self._tracker.update(boxes, scores, timestamp)
            self._meet(pixels, found, boxes, tracks, timestamp)
        yield from self._release()
        self._held = _Held(timestamp, number, boxes, scores, tracks)
        for person in self._people.departed(timestamp):
            self._looked.pop(person.number, None)
            yield self._person_row(person)

    def _meet(
        self,
        pixels: npt.NDArray[np.uint8],
        found: Detections,
        boxes: Numbers,
        tracks: list[Track | None],
        timestamp: float,
    ) -> None:
        """Decides who new tracks are, and looks at the others now and then."""
        new = [i for i, t in enumerate(tracks) if t and t.confirmed and self._people.of(t) is None]
        looks = self._looks(pixels, found, [*new, *self._due(tracks, found, timestamp)])
        for i in new:
            track = tracks[i]
            if track is not None:
                before = self._people.decide(track, boxes[i], timestamp, looks.get(i))
                if before is not None:
                    self._tracker.end(before)
        for i, vector in looks.items():
            track = tracks[i]
            person = self._people.of(track) if track else None
            if person is not None:
                person.looks(vector)
                self._looked[person.number] = timestamp

    def _looks(
        self, pixels: npt.NDArray[np.uint8], found: Detections, which: list[int]
    ) -> dict[int, Numbers]:
        if self._embedder is None or not which:
            return {}
        vectors = self._embedder.embed(pixels, found.boxes[which])
        return {i: vector.astype(np.float64) for i, vector in zip(which, vectors, strict=True)}

    def _due(self, tracks: list[Track | None], found: Detections, timestamp: float) -> list[int]:
        """Well seen persons who have not been looked at for a while."""
        due = []
        for i, track in enumerate(tracks):
            person = self._people.of(track) if track else None
            if person is None or found.scores[i] < self.config.conf_threshold:
                continue
            if timestamp - self._looked.get(person.number, -_LOOK_SECONDS) >= _LOOK_SECONDS:
                due.append(i)
        return due

    def _release(self) -> Iterator[Item]:
        """Rows of the frame that waited. Boxes of new tracks that did not go on are left out."""
        held, self._held = self._held, None
        if held is None:
            return
        people = [self._people.of(track) if track else None for track in held.tracks]
        if self.config.track_mode:
            present = [(p, b) for p, b in zip(people, held.boxes, strict=True) if p is not None]
            self._people.compare(
                [p for p, _ in present], [b for _, b in present], (self.media.width, self.media.height)
            )
        image_id = f"{self.video_id}_frame_{held.number}"
        for person, box, score in zip(people, held.boxes, held.scores, strict=True):
            if person is None and self.config.track_mode:
                continue
            if person is not None:
                self._people.saw(person, box, float(score), held.timestamp)
            self._rows += 1
            yield Item(list=coco.ANNOTATIONS, row=self._row(held, person, box, float(score), image_id))
        yield coco.image_row(image_id, self.media, self.video_id, held.number, held.timestamp)

    def _row(self, held: _Held, person: Person | None, box: Numbers, score: float, image_id: str) -> Row:
        width, height = float(box[2] - box[0]), float(box[3] - box[1])
        row: Row = {
            "id": self._rows,
            "image_id": image_id,
            "category_id": files.CATEGORY_ID,
            "keypoints": list(files.NO_POINTS),
            "num_keypoints": 0,
            "bbox": [round(float(value), 2) for value in (box[0], box[1], width, height)],
            "area": round(width * height, 2),
            "iscrowd": 0,
            "score": round(score, 4),
            "track_id": None if person is None else person.number,
            "timestamp": coco.seconds(held.timestamp),
            "frame_number": held.number,
            "person_id": f"detection_{self._rows}" if person is None else self._person_id(person),
        }
        if person is None:
            del row["track_id"]
        return {**row, **self._label(person, "person_label")}

    def _person_row(self, person: Person) -> Item:
        labelled = self._label(person, "label")
        self._labelled += labelled["label"] != "unknown"
        row: Row = {
            "person_id": self._person_id(person),
            "track_id": person.number,
            "video_id": self.video_id,
            **labelled,
            "first_seen": coco.seconds(person.first),
            "last_seen": coco.seconds(person.last),
            "detections": person.boxes,
            "mean_score": round(person.score_sum / max(1, person.boxes), 4),
            "relinked": person.joined,
        }
        return Item(list=files.PERSONS, row=row)

    def _label(self, person: Person | None, key: str) -> dict[str, Any]:
        told = UNLABELLED
        if person is not None and self.config.label_by_size:
            told = size_label(person, self.config.infant_height_ratio)
        fields: dict[str, Any] = {
            key: told.label,
            "label_confidence": told.confidence,
            "labeling_method": told.method,
        }
        if told.reasoning is not None:
            fields["size_based_reasoning"] = told.reasoning
        return fields

    def _person_id(self, person: Person) -> str:
        return f"person_{self.video_id}_{person.number:03d}"
