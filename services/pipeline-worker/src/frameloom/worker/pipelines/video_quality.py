"""Measures the picture: sharpness, exposure, motion; black, frozen and blurred stretches; shot by shot."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from frameloom.common.pipelines import ArtefactSpec, Item, MediaInfo, Output, PipelineInfo, Row
from frameloom.worker.frames.base import FrameBatch, FrameRequest, Sampling, fit
from frameloom.worker.frames.sampling import Sampler
from frameloom.worker.pipelines.base import FramePipeline, PipelineConfig
from frameloom.worker.pipelines.qualities.sums import Stretch

if TYPE_CHECKING:
    from frameloom.worker.pipelines.qualities.measures import Sample
    from frameloom.worker.pipelines.qualities.states import Finding

VERSION = "1.0.0"
SECONDS, SHOTS, FINDINGS = "seconds", "shots", "findings"
Export = Literal["csv", "parquet"]
_MEASURES = (
    "brightness", "contrast", "dark_share", "bright_share", "sharpness", "sharpness_least", "motion",
    "motion_most", "moving_share", "black_share", "frozen_share", "blurred_share",
)  # fmt: skip
_COLUMNS = [
    ("start", "start", "number"),
    ("end", "end", "number"),
    ("samples", "samples", "integer"),
    *((name, name, "number") for name in _MEASURES),
]
_SHOT_COLUMNS = [
    ("id", "id", "integer"),
    *_COLUMNS,
    ("frame_start", "frame_start", "integer"),
    ("frame_end", "frame_end", "integer"),
]
_MEDIA_TYPES = {"csv": ("CSV", "text/csv"), "parquet": ("Parquet", "application/vnd.apache.parquet")}


class VideoQualityConfig(PipelineConfig):
    """Configuration of ``video_quality``."""

    pps: float = Field(
        10.0,
        gt=0.0,
        le=120.0,
        description="Frames per second of video that are measured. Motion is the change from one to the "
        "next, so figures of different rates can not be compared.",
    )
    analysis_size: int = Field(
        320,
        ge=64,
        le=1920,
        description="Longest side of the measured picture. Sharpness can not be compared between sizes; what "
        "is less blurred than the reduction shows only with a larger one.",
    )
    shots: bool = Field(
        default=True,
        description="Find cuts and give figures for each shot. Needs every frame; without, only the measured "
        "ones are scaled.",
    )
    cut_threshold: float = Field(
        30.0, ge=1.0, le=255.0, description="Change from frame to frame from which on it is a cut (0 to 255)."
    )
    min_shot_length: float = Field(
        0.5,
        ge=0.0,
        le=60.0,
        description="Shortest shot in seconds: a cut that follows sooner is passed over.",
    )
    black_share: float = Field(
        0.98, ge=0.5, le=1.0, description="A picture is black if this share of its pixels is below level 32."
    )
    freeze_change: float = Field(
        6.0,
        ge=0.0,
        le=255.0,
        description="A picture is frozen if no spot differs from the one before by this many grey levels.",
    )
    blur_sharpness: float = Field(
        40.0, ge=0.0, le=10_000.0, description="A picture is blurred if its sharpness is below."
    )
    clipped_share: float = Field(
        0.5,
        ge=0.01,
        le=1.0,
        description="A picture is underexposed (overexposed) if this share of its pixels is at level 16 or "
        "below (240 or above).",
    )
    min_finding_length: float = Field(
        1.0, ge=0.0, le=600.0, description="Shortest black, frozen, blurred … stretch in seconds."
    )
    exports: tuple[Export, ...] = Field(
        ("csv",), max_length=2, description="Tables to write: one of the seconds, one of the shots."
    )


class VideoQuality(FramePipeline):
    """Gives one row per second, one per shot, and one per stretch that stands out."""

    Config = VideoQualityConfig
    required_modules = ("cv2", "scenedetect")
    info: ClassVar[PipelineInfo] = PipelineInfo(
        name="video_quality",
        version=VERSION,
        display_name="Video Quality and Motion",
        description="Measures sharpness, exposure and motion by second and by shot, and finds black, frozen, "
        "blurred and wrongly exposed stretches.",
        pipeline_family="quality",
        variant="pixel-statistics",
        tasks=("quality-assessment", "motion-estimation"),
        modalities=("video",),
        capabilities=("streaming",),
        backends=("opencv",),
        stability="beta",
        outputs=(
            Output(format="JSON", types=(SECONDS, SHOTS, FINDINGS)),
            Output(format="CSV", types=(SECONDS, SHOTS)),
        ),
        config_schema=VideoQualityConfig.model_json_schema(),
        examples=(
            {"pps": 25, "min_finding_length": 0.1},
            {"shots": False, "pps": 2, "exports": ["csv", "parquet"]},
        ),
    )
    config: VideoQualityConfig

    def begin(self, media: MediaInfo) -> None:
        """Starts at second 0 with the first shot."""
        from frameloom.worker.pipelines.qualities.measures import Gauge  # noqa: PLC0415 - imports OpenCV
        from frameloom.worker.pipelines.qualities.states import Findings, Limits  # noqa: PLC0415
        from frameloom.worker.pipelines.scenes.content import ContentCuts  # noqa: PLC0415

        super().begin(media)
        self._gauge = Gauge()
        self._sampler = Sampler(Sampling.per_second(self.config.pps))
        self._limits = Limits(
            self.config.black_share,
            self.config.freeze_change,
            self.config.blur_sharpness,
            self.config.clipped_share,
        )
        self._findings = Findings(self.config.min_finding_length)
        self._cuts = ContentCuts(media, self.config.cut_threshold, 0.0) if self.config.shots else None
        self._second, self._shot, self._whole = Stretch(), Stretch(), Stretch()
        self._second_start = self._shot_start = self._last = 0.0
        self._shot_frame = self._last_frame = 0
        self._shots = self._found = self._cut_count = 0
        self._after_cut = False

    def request(self, media: MediaInfo) -> FrameRequest:
        """Small frames: every one for the cuts, else those that are measured."""
        every = Sampling.every_frame() if self.config.shots else Sampling.per_second(self.config.pps)
        size = fit(media, self.config.analysis_size)
        return FrameRequest(every, size=size, colour="bgr", batch_size=32, scaling="area")

    def process(self, batch: FrameBatch) -> Iterator[Item]:
        """Rows of the seconds, shots and stretches that ended."""
        cuts = {cut.frame for cut in self._cuts.feed(batch)} if self._cuts is not None else set()
        for pixels, timestamp, number in zip(
            batch.pixels, batch.timestamps, batch.frame_numbers, strict=True
        ):
            self._last, self._last_frame = float(timestamp), int(number)
            yield from self._turn()
            if self._last_frame in cuts:
                yield from self._cut()
            if self._sampler.wants(self._last):
                sample = self._gauge.measure(pixels, self._last, after_cut=self._after_cut)
                self._after_cut = False
                yield from self._take(sample)

    def finish(self) -> Iterator[Item]:
        """Rows of what lasts until the end."""
        end = max(self.media.duration_seconds, self._last + 1 / self.media.fps)
        yield from self._rows_of(self._findings.finish(end))
        yield from self._close_second(end)
        if self.config.shots:
            yield self._close_shot(end, self._last_frame + 1)

    def artefacts(self) -> tuple[ArtefactSpec, ...]:
        """JSON with all, and the tables."""
        head: Row = {
            "info": {
                "description": "Frameloom video quality",
                "version": VERSION,
                "pps": self.config.pps,
                "analysis_size": list(fit(self.media, self.config.analysis_size)),
            },
            "summary": {**self._whole.row(), "shots": self._shots if self.config.shots else None},
        }
        main = ArtefactSpec(
            suffix="_video_quality.json",
            format="JSON",
            head=head,
            lists=(FINDINGS, SHOTS, SECONDS),
            counted=SECONDS,
        )
        tables = [SECONDS, SHOTS] if self.config.shots else [SECONDS]
        exports = dict.fromkeys(self.config.exports)
        return main, *(_table(name, kind) for kind in tables for name in exports)

    def _cut(self) -> Iterator[Item]:
        self._after_cut = True
        self._cut_count += 1
        if self._last - self._shot_start >= self.config.min_shot_length:
            yield self._close_shot(self._last, self._last_frame)
            self._shot, self._shot_start, self._shot_frame = Stretch(), self._last, self._last_frame

    def _turn(self) -> Iterator[Item]:
        """Turns to the next second, when one begins with this frame."""
        begun = float(math.floor(self._last))
        if begun > self._second_start:
            yield from self._close_second(self._second_start + 1.0)
            self._second, self._second_start = Stretch(), begun

    def _take(self, sample: Sample) -> Iterator[Item]:
        states = self._limits.states(sample)
        for stretch in (self._second, self._shot, self._whole):
            stretch.add(sample, states)
        yield from self._rows_of(self._findings.see(sample.time, states))

    def _close_second(self, end: float) -> Iterator[Item]:
        if self._second.samples:
            end = min(end, self._second_start + 1.0)
            row: Row = {"start": self._second_start, "end": round(end, 3), "cuts": self._cut_count}
            yield Item(list=SECONDS, row={**row, **self._second.row()})
        self._cut_count = 0

    def _close_shot(self, end: float, end_frame: int) -> Item:
        self._shots += 1
        row: Row = {
            "id": self._shots,
            "start": round(self._shot_start, 3),
            "end": round(end, 3),
            "duration": round(end - self._shot_start, 3),
            "frame_start": self._shot_frame,
            "frame_end": end_frame,
        }
        return Item(list=SHOTS, row={**row, **self._shot.row()})

    def _rows_of(self, findings: Iterable[Finding]) -> Iterator[Item]:
        for finding in findings:
            self._found += 1
            row: Row = {
                "id": self._found,
                "kind": finding.kind,
                "start": round(finding.start, 3),
                "end": round(finding.end, 3),
            }
            yield Item(list=FINDINGS, row=row)


def _table(writer: Export, rows: str) -> ArtefactSpec:
    title, media_type = _MEDIA_TYPES[writer]
    columns = [*_COLUMNS, ("cuts", "cuts", "integer")] if rows == SECONDS else _SHOT_COLUMNS
    return ArtefactSpec(
        suffix=f"_video_quality_{rows}.{writer}",
        format=title,
        media_type=media_type,
        counted=rows,
        writer=writer,
        options={"columns": columns},
    )
