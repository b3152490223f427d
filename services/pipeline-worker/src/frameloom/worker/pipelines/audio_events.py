"""What is to be heard: 521 kinds of sound, each with the times of its events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator, model_validator
from pydantic.config import JsonDict

from frameloom.common.pipelines import ArtefactSpec, Item, MediaInfo, Output, PipelineInfo, Row
from frameloom.worker.pipelines.base import PipelineConfig, SoundPipeline
from frameloom.worker.pipelines.sounds.classes import CLASSES, VOICE_SOUNDS
from frameloom.worker.pipelines.sounds.events import Event, EventFinder, Rules
from frameloom.worker.pipelines.sounds.logmel import FRAME_SECONDS, PATCH_SECONDS, RATE_HZ, Patches, Samples
from frameloom.worker.pipelines.sounds.yamnet import FILES, Scores, yamnet
from frameloom.worker.sound.base import SoundBlock

VERSION = "1.0.0"
EVENTS = "events"
MOMENTS = "moments"
Export = Literal["webvtt", "elan", "textgrid", "parquet"]
_PRESETS: dict[str, tuple[str, ...]] = {"all": CLASSES, "voice_sounds": VOICE_SOUNDS}
_COLUMNS = [
    ("start", "start", "number"),
    ("end", "end", "number"),
    ("label", "label", "text"),
    ("confidence", "confidence", "number"),
    ("peak", "peak", "number"),
]
_FORMATS: dict[str, tuple[str, str, str]] = {
    "webvtt": ("_audio_events.vtt", "WebVTT", "text/vtt"),
    "elan": ("_audio_events.eaf", "ELAN", "application/xml"),
    "textgrid": ("_audio_events.TextGrid", "TextGrid", "text/plain"),
    "parquet": ("_audio_events.parquet", "Parquet", "application/vnd.apache.parquet"),
}
_LEAST_SCORE = 0.05
_CLASS: JsonDict = {
    "type": "string",
    "enum": list(CLASSES),
    "description": "A class of AudioSet as YAMNet names it, such as Laughter; the documentation lists them.",
}


class EventsConfig(PipelineConfig):
    """Configuration of ``audio_events``."""

    preset: Literal["all", "voice_sounds"] = Field(
        "all",
        description="Which classes: all, or voice_sounds: laughing, crying, shouting, screaming, whispering "
        "and their like. That is what is heard, not what anybody feels.",
    )
    classes: tuple[str, ...] = Field(
        (),
        max_length=len(CLASSES),
        description="Only these classes, instead of a preset's.",
        json_schema_extra={"items": _CLASS},
    )
    event_threshold: float = Field(0.5, gt=0, le=1, description="Score from which on a sound is an event.")
    end_threshold: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Score below which an event ends. None: half of event_threshold.",
        json_schema_extra={"x-at-most": "event_threshold"},
    )
    min_event_seconds: float = Field(0.0, ge=0, le=3600, description="Shortest event, in seconds.")
    join_seconds: float = Field(
        0.5, ge=0, le=3600, description="A pause up to this long does not end an event, in seconds."
    )
    hop_seconds: float = Field(
        0.48,
        ge=0.1,
        le=PATCH_SECONDS,
        description="From one look of 0.96 seconds to the next; how fine times are. Rounded to 10 ms.",
    )
    moments: bool = Field(default=True, description="Also write the strongest classes of every moment.")
    top_k: int = Field(5, ge=1, le=50, description="How many classes a moment has at most; none below 0.05.")
    exports: tuple[Export, ...] = Field((), max_length=4, description="Further files to write of the events.")

    @field_validator("classes")
    @classmethod
    def _known(cls, classes: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in classes if name not in CLASSES]
        if unknown:
            raise ValueError(f"{unknown[0]!r} is no class of AudioSet; {_CLASS['description']}")
        return classes

    @model_validator(mode="after")
    def _in_order(self) -> EventsConfig:
        if self.end_threshold is not None and self.end_threshold > self.event_threshold:
            raise ValueError("end_threshold is above event_threshold")
        return self

    @property
    def rules(self) -> Rules:
        """When a sound is an event."""
        begin, end = self.event_threshold, self.end_threshold
        end_below = begin / 2 if end is None else end
        return Rules(begin, end_below, self.min_event_seconds, self.join_seconds)

    @property
    def wanted(self) -> tuple[str, ...]:
        """The classes that are looked at, in the order of the model."""
        names = set(self.classes or _PRESETS[self.preset])
        return tuple(name for name in CLASSES if name in names)


class AudioEvents(SoundPipeline):
    """Scores overlapping stretches of sound, and makes events of what is heard in neighbouring ones."""

    Config = EventsConfig
    required_models = FILES
    required_modules = ("onnxruntime",)
    info: ClassVar[PipelineInfo] = PipelineInfo(
        name="audio_events",
        version=VERSION,
        display_name="Audio Events",
        description="Hears 521 kinds of sound: speech, music, laughter, animals, machines, silence.",
        # Not "audio": that name means VideoAnnotator's pipelines, and the first of a family by name wins it.
        pipeline_family="sound",
        variant="yamnet",
        tasks=("audio-event-detection", "audio-classification"),
        modalities=("audio",),
        capabilities=("streaming", "timeline"),
        backends=("onnxruntime",),
        stability="beta",
        outputs=(
            Output(format="JSON", types=("audio_events", "audio_classes")),
            Output(format="CSV", types=("audio_events",)),
        ),
        config_schema=EventsConfig.model_json_schema(),
        examples=(
            {"preset": "voice_sounds", "exports": ["elan"]},
            {"classes": ["Speech", "Music", "Silence"], "event_threshold": 0.5},
        ),
    )
    config: EventsConfig

    def load(self) -> None:
        """Loads the network."""
        self._network = yamnet(self.models)

    def begin(self, media: MediaInfo) -> None:
        """Nothing was heard yet."""
        super().begin(media)
        config = self.config
        frames = round(config.hop_seconds / FRAME_SECONDS)
        self._hop = frames * FRAME_SECONDS
        self._patches = Patches(frames)
        self._labels = config.wanted
        self._places = np.array([CLASSES.index(name) for name in self._labels])
        self._finder = EventFinder(config.rules)
        self._moments = 0
        self._last: Scores | None = None

    def process(self, block: SoundBlock) -> Iterator[Item]:
        """The moments that are over, and the events that are certain."""
        for stretch in self._patches.feed(block.samples):
            yield from self._heard(stretch)

    def finish(self) -> Iterator[Item]:
        """What is left at the end of the sound."""
        for stretch in self._patches.flush():
            yield from self._heard(stretch)
        if self._last is not None:
            yield from self._moment(self._last, self._patches.heard / RATE_HZ)
        yield from self._events(self._finder.flush())

    def artefacts(self) -> tuple[ArtefactSpec, ...]:
        """JSON with events and moments, CSV, and the exports."""
        info: Row = {
            "description": "Frameloom audio events",
            "version": VERSION,
            "model": "YAMNet",
            "classes": "all" if len(self._labels) == len(CLASSES) else list(self._labels),
            "hop_seconds": round(self._hop, 3),
        }
        lists = (EVENTS, MOMENTS) if self.config.moments else (EVENTS,)
        whole = ArtefactSpec(
            suffix="_audio_events.json", format="JSON", head={"info": info}, lists=lists, counted=EVENTS
        )
        table = self._file("csv", "_audio_events.csv", "CSV", "text/csv")
        exports = [self._file(name, *_FORMATS[name]) for name in dict.fromkeys(self.config.exports)]
        return (whole, table, *exports)

    def _file(self, writer: str, suffix: str, title: str, media_type: str) -> ArtefactSpec:
        return ArtefactSpec(
            suffix=suffix,
            format=title,
            media_type=media_type,
            counted=EVENTS,
            writer=writer,
            options={
                "text": "label",
                "tier": "none" if writer == "webvtt" else "label",  # a class is no speaker
                "unnamed": "sounds",
                "media_seconds": self.media.duration_seconds,
                "columns": _COLUMNS,
            },
        )

    def _heard(self, stretch: Samples) -> Iterator[Item]:
        """Scores a stretch; the one before it ends in the middle of what the two share."""
        scores = self._network.scores(stretch)[self._places]
        if self._last is not None:
            yield from self._moment(self._last, self._begin_of(self._moments + 1))
        self._last = scores

    def _begin_of(self, moment: int) -> float:
        """Stretches overlap; each stands for the time around its middle, the first for all before it too."""
        return moment * self._hop + (PATCH_SECONDS - self._hop) / 2 if moment else 0.0

    def _moment(self, scores: Scores, end: float) -> Iterator[Item]:
        begin = self._begin_of(self._moments)
        self._moments += 1
        if self.config.moments:
            best = np.argsort(-scores, kind="stable")[: self.config.top_k]
            heard = {
                self._labels[place]: round(float(scores[place]), 4)
                for place in best
                if scores[place] >= _LEAST_SCORE
            }
            yield Item(list=MOMENTS, row={"start": _seconds(begin), "end": _seconds(end), "scores": heard})
        yield from self._events(self._finder.feed(begin, end, scores))

    def _events(self, events: Iterable[Event]) -> Iterator[Item]:
        for event in events:
            row: Row = {
                "start": _seconds(event.begin),
                "end": _seconds(event.end),
                "label": self._labels[event.label],
                "confidence": round(event.mean, 4),
                "peak": round(event.peak, 4),
            }
            yield Item(list=EVENTS, row=row)


def _seconds(value: float) -> float:
    return round(value, 3)
