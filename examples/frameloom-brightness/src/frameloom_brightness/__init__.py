"""Brightness over time, and the stretches of a video that are too dark. A whole pipeline in one file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from frameloom.common.pipelines import ArtefactSpec, Item, MediaInfo, Output, PipelineInfo, Row
from frameloom.worker.frames import FrameBatch, FrameRequest, Sampling
from frameloom.worker.pipelines import FramePipeline, PipelineConfig

_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, of R, G, B


class BrightnessConfig(PipelineConfig):
    """What a client may set. The limits come back as sentences to whoever sends something else."""

    pps: float = Field(2.0, gt=0, le=100, description="Frames per second of video to look at.")
    dark_below: float = Field(32.0, ge=0, le=255, description="Brightness below which it is dark.")
    min_seconds: float = Field(1.0, ge=0, le=3600, description="Shortest dark stretch, in seconds.")
    exports: tuple[Literal["csv", "webvtt"], ...] = Field(
        (), max_length=2, description="Further files to write."
    )


class Brightness(FramePipeline):
    """Mean brightness of the picture, and where it stays below a limit."""

    Config = BrightnessConfig
    config: BrightnessConfig
    info: ClassVar[PipelineInfo] = PipelineInfo(
        name="brightness",
        version="1.0.0",
        display_name="Brightness",
        description="Mean brightness over time, and the stretches that are too dark.",
        pipeline_family="light",
        variant="mean-luma",
        tasks=("quality-assessment",),
        modalities=("video",),
        outputs=(Output(format="JSON", types=("brightness", "dark_stretches")),),
        config_schema=BrightnessConfig.model_json_schema(),
        examples=({"pps": 5, "exports": ["csv"]},),
    )

    def begin(self, media: MediaInfo) -> None:
        """State for one video; an object never sees a second one."""
        super().begin(media)
        self._dark: list[tuple[float, float]] = []
        self._count = 0

    def request(self, media: MediaInfo) -> FrameRequest:  # noqa: ARG002 - the same for every video
        """A few small frames a second: the mean of a small picture is that of the large one."""
        return FrameRequest(
            Sampling.per_second(self.config.pps),
            size=(64, 36),
            colour="rgb",
            batch_size=32,
            scaling="area",
        )

    def process(self, batch: FrameBatch) -> Iterator[Item]:
        """A row per frame at once, and a row per dark stretch as soon as it is over."""
        means = batch.pixels.mean(axis=(1, 2)) @ _LUMA
        for time, mean in zip(batch.timestamps.tolist(), means.tolist(), strict=True):
            yield Item(list="samples", row={"timestamp": round(time, 6), "value": round(mean, 2)})
            if mean < self.config.dark_below:
                self._dark.append((time, mean))
            else:
                yield from self._stretch(time)

    def finish(self) -> Iterable[Item]:
        """The video may end in the dark."""
        yield from self._stretch(self.media.duration_seconds)

    def artefacts(self) -> tuple[ArtefactSpec, ...]:
        """The JSON file, and what was asked for beside it. Called last, so the head may hold results."""
        head: Row = {"info": {"description": "Brightness", "version": self.info.version, "dark": self._count}}
        files = {
            "csv": ArtefactSpec(
                suffix="_brightness.csv",
                format="CSV",
                media_type="text/csv",
                counted="samples",
                writer="csv",
                options={"columns": [("timestamp", "timestamp", "number"), ("value", "value", "number")]},
            ),
            "webvtt": ArtefactSpec(
                suffix="_dark.vtt",
                format="WebVTT",
                media_type="text/vtt",
                counted="dark",
                writer="webvtt",
                options={"text": "label"},
            ),
        }
        main = ArtefactSpec(
            suffix="_brightness.json", format="JSON", head=head, lists=("samples", "dark"), counted="samples"
        )
        return (main, *(files[name] for name in dict.fromkeys(self.config.exports)))

    def _stretch(self, end: float) -> Iterator[Item]:
        """Closes the dark stretch that is open, if it is long enough to be told."""
        dark, self._dark = self._dark, []
        if dark and end - dark[0][0] >= self.config.min_seconds:
            self._count += 1
            row: Row = {
                "start": round(dark[0][0], 6),
                "end": round(end, 6),
                "label": "dark",
                "mean": round(sum(mean for _, mean in dark) / len(dark), 2),
            }
            yield Item(list="dark", row=row)
