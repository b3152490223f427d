"""Finds persons and follows each through the video."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from frameloom.common.pipelines import ArtefactSpec, Item, MediaInfo, Output, PipelineInfo, Row, Segmentation
from frameloom.worker.frames.base import FrameBatch, FrameRequest, Sampling
from frameloom.worker.pipelines import coco
from frameloom.worker.pipelines.base import FramePipeline
from frameloom.worker.pipelines.persons import files
from frameloom.worker.pipelines.persons.bytetrack import ByteTracker, Track
from frameloom.worker.pipelines.persons.config import YOLO, PersonConfig
from frameloom.worker.pipelines.persons.motion import Numbers
from frameloom.worker.pipelines.persons.people import UNLABELLED, People, Person, size_label
from frameloom.worker.pipelines.persons.stitching import Frame, Known, Seam, frames
from frameloom.worker.pipelines.pieces import Piece

if TYPE_CHECKING:
    import numpy.typing as npt

    from frameloom.worker.pipelines.persons.detector import Detections

VERSION = "1.0.0"

_SIDE = 416
_BATCH = 4
_LOOK_SECONDS = 1.0
"""How often the appearance of somebody who is followed is looked at."""
_KNOWN = "_people"
"""List of what a segment leaves of each person for the stitch."""


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
    segmentation = Segmentation()
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

    def stitch(self, pieces: Sequence[Piece]) -> Iterator[Item]:
        """The frames of all segments, each once, with persons of the whole."""
        seen = [piece for piece in pieces if piece.frames]
        seam, before = Seam(), dict[int, Person]()
        for place, piece in enumerate(seen):
            after = seen[place + 1].span if place + 1 < len(seen) else None
            known = {who.number: who for item in piece.items(_KNOWN) for who in [Known.of(item.row)]}
            given = frames(piece.items(coco.ANNOTATIONS, coco.IMAGES))
            who_is: dict[int, Person] = {}
            for frame in seam.share(piece.span, after, given):
                if isinstance(frame, dict):
                    pairs = [(number, before[other]) for number, other in frame.items() if other in before]
                    who_is = {number: self._again(person, known.get(number)) for number, person in pairs}
                    continue
                self._held = self._frame_of(frame, who_is, known)
                yield from self._release()
            before = who_is
        for person in self._people.rest():
            yield self._person_row(person)

    def artefacts(self) -> tuple[ArtefactSpec, ...]:
        """The COCO file, the list of persons, and the files of ``exports``."""
        notes = ["keypoints: no network for body points is installed; all are 0 with visibility 0"]
        if self.config.model in YOLO:
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

    def _frame_of(self, frame: Frame, who_is: dict[int, Person], known: dict[int, Known]) -> _Held:
        """A frame of a segment as one of the whole; whoever is new in it is found a person."""
        for number, box in zip(frame.persons, frame.boxes, strict=True):
            if number is None or number in who_is:
                continue
            told = known.get(number)
            person = None
            if self._relinks and told is not None and told.look is not None:
                person = self._people.like(told.look, box, frame.timestamp, list(who_is.values()))
            if person is not None:
                person.joined += 1
                self._people.joined += 1
            else:
                track = Track(self._people.count + 1, confirmed=True, seen=frame.timestamp)
                person = self._people.add(track, box, frame.timestamp)
            who_is[number] = self._again(person, told)
        tracks = [None if number is None else who_is[number].track for number in frame.persons]
        return _Held(frame.timestamp, frame.number, frame.boxes, frame.scores, tracks)

    def _again(self, person: Person, told: Known | None) -> Person:
        """A person who goes on in a segment that knows this about them."""
        if told is not None:
            person.joined += told.joined
            self._people.joined += told.joined
            if told.look is not None:
                person.looks(told.look)
        return person

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
        if self.span is not None:
            return Item(list=_KNOWN, row=Known(person.number, person.look, person.joined).row())
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
