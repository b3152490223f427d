"""Reads the text that stands in the picture: titles, captions, slides, signs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from frameloom.common.pipelines import ArtefactSpec, Item, MediaInfo, Output, PipelineInfo, Row
from frameloom.worker.frames.base import FrameBatch, FrameRequest, Sampling, fit
from frameloom.worker.pipelines.base import FramePipeline, Only, PipelineConfig
from frameloom.worker.pipelines.texts.lines import Line, LineFollower, Reading

if TYPE_CHECKING:
    from frameloom.worker.pipelines.texts.finder import Region
    from frameloom.worker.pipelines.texts.network import Pixels

VERSION = "1.0.0"
TEXTS = "texts"
Export = Literal["csv", "webvtt", "srt", "elan", "parquet"]

_WORKING_SIDE = 1920
_MOST_LINES = 100
_ONE_NETWORK = (
    "One network reads Latin, Greek, Chinese and Japanese letters, whatever the language; "
    "it has no Cyrillic, Korean, Arabic or Indian ones."
)
_COLUMNS = [
    ("start", "start", "number"),
    ("end", "end", "number"),
    ("text", "text", "text"),
    ("confidence", "confidence", "number"),
    ("left", "bbox.0", "number"),
    ("top", "bbox.1", "number"),
    ("width", "bbox.2", "number"),
    ("height", "bbox.3", "number"),
    ("samples", "samples", "integer"),
]
_FORMATS: dict[str, tuple[str, str, str]] = {
    "csv": ("_ocr.csv", "CSV", "text/csv"),
    "webvtt": ("_ocr.vtt", "WebVTT", "text/vtt"),
    "srt": ("_ocr.srt", "SubRip", "application/x-subrip"),
    "elan": ("_ocr.eaf", "ELAN", "application/xml"),
    "parquet": ("_ocr.parquet", "Parquet", "application/vnd.apache.parquet"),
}


class OcrConfig(PipelineConfig):
    """Configuration of ``ocr``."""

    pps: float = Field(
        1.0, gt=0.0, le=30.0, description="Frames per second of video to look at; times are as exact as that."
    )
    min_confidence: float = Field(
        0.7, ge=0.0, le=1.0, description="Least confidence of a line: the mean over its letters."
    )
    min_height: int = Field(10, ge=1, le=1000, description="Least height of a line, in video pixels.")
    min_characters: int = Field(
        2, ge=1, le=100, description="Fewest letters of a line; single ones are mostly found in patterns."
    )
    detection_size: int = Field(
        960,
        ge=320,
        le=1920,
        description="Longest side of the picture that is searched. More finds smaller text and takes longer.",
    )
    change_threshold: float = Field(
        12.0,
        ge=0.0,
        le=255.0,
        description="A picture is not read again while no part of it has changed its brightness by this much "
        "(0 to 255). 0: every picture is read.",
    )
    max_gap: float = Field(
        2.0, ge=0.0, le=600.0, description="Seconds that a text may go unread and still be the same one."
    )
    language: Annotated[str, Only("any", _ONE_NETWORK)] = "any"
    exports: tuple[Export, ...] = Field(
        ("csv",), max_length=5, description="Further files to write of the same texts."
    )


class Ocr(FramePipeline):
    """Gives one row per line of text, with the time for which it can be read and its place."""

    Config = OcrConfig
    required_models = ("pp-ocr-detection", "pp-ocr-recognition")
    required_modules = ("cv2", "onnxruntime")
    info: ClassVar[PipelineInfo] = PipelineInfo(
        name="ocr",
        version=VERSION,
        display_name="Text in the Picture",
        description="Reads titles, captions, slides and signs, and tells when and where they stand.",
        pipeline_family="text",
        variant="pp-ocr-v6-small",
        tasks=("text-detection", "text-recognition"),
        modalities=("video",),
        capabilities=("streaming",),
        backends=("onnxruntime", "opencv"),
        stability="beta",
        outputs=(Output(format="JSON", types=("texts",)), Output(format="CSV", types=("texts",))),
        config_schema=OcrConfig.model_json_schema(),
        examples=(
            {"pps": 2, "exports": ["csv", "webvtt"]},
            {"detection_size": 1920, "min_height": 6},
        ),
    )
    config: OcrConfig

    def load(self) -> None:
        """Loads both networks."""
        from frameloom.worker.pipelines.texts.finder import TextFinder  # noqa: PLC0415 - imports OpenCV
        from frameloom.worker.pipelines.texts.reader import TextReader  # noqa: PLC0415

        self._finder = TextFinder(self.models, self.config.detection_size)
        self._reader = TextReader(self.models)

    def begin(self, media: MediaInfo) -> None:
        """Forgets the picture before."""
        from frameloom.worker.pipelines.texts.stillness import Stillness  # noqa: PLC0415 - imports OpenCV

        super().begin(media)
        size = fit(media, _WORKING_SIDE)
        self._scale = (media.width / size[0], media.height / size[1])
        self._stillness = Stillness(self.config.change_threshold)
        # Sampled more thinly than the gap, two neighbouring pictures must still count as neighbours.
        self._follower = LineFollower(max(self.config.max_gap, 1.5 / self.config.pps))
        self._count = self._pictures = self._read = 0
        self._last = 0.0

    def request(self, media: MediaInfo) -> FrameRequest:
        """A few frames a second, large: small text takes pixels."""
        return FrameRequest(
            Sampling.per_second(self.config.pps),
            size=fit(media, _WORKING_SIDE),
            colour="bgr",
            batch_size=4,
            scaling="area",
        )

    def process(self, batch: FrameBatch) -> Iterator[Item]:
        """Rows of the texts that are gone."""
        for pixels, timestamp, number in zip(
            batch.pixels, batch.timestamps, batch.frame_numbers, strict=True
        ):
            self._last = float(timestamp)
            self._pictures += 1
            if self._stillness.unchanged(pixels):
                self._follower.still(self._last, int(number))
            else:
                self._read += 1
                self._follower.see(self._last, int(number), self._readings(pixels))
        yield from self._rows(self._follower.take())

    def finish(self) -> Iterator[Item]:
        """Rows of the texts that stand until the end."""
        self._follower.finish(max(self.media.duration_seconds, self._last + 1 / self.media.fps))
        yield from self._rows(self._follower.take())

    def artefacts(self) -> tuple[ArtefactSpec, ...]:
        """JSON with boxes, and the exports."""
        info: Row = {
            "description": "Frameloom texts in the picture",
            "version": VERSION,
            "pps": self.config.pps,
            "pictures": self._pictures,
            "pictures_read": self._read,
            "video": {"width": self.media.width, "height": self.media.height},
        }
        main = ArtefactSpec(
            suffix="_ocr.json", format="JSON", head={"info": info}, lists=(TEXTS,), counted=TEXTS
        )
        return main, *(_export(name) for name in dict.fromkeys(self.config.exports))

    def _readings(self, pixels: Pixels) -> list[Reading]:
        least = self.config.min_height / self._scale[1]
        regions = [region for region in self._finder.find(pixels) if region.height >= least][:_MOST_LINES]
        said = self._reader.read(pixels, [region.quad for region in regions])
        return [
            self._reading(region, text, confidence)
            for region, (text, confidence) in zip(regions, said, strict=True)
            if confidence >= self.config.min_confidence
            and len("".join(text.split())) >= self.config.min_characters
        ]

    def _reading(self, region: Region, text: str, confidence: float) -> Reading:
        """In pixels of the video, within it."""
        across = [min(max(float(x) * self._scale[0], 0.0), self.media.width) for x in region.quad[:, 0]]
        down = [min(max(float(y) * self._scale[1], 0.0), self.media.height) for y in region.quad[:, 1]]
        left, top = min(across), min(down)
        return Reading(
            text=text,
            confidence=confidence,
            box=(left, top, max(across) - left, max(down) - top),
            polygon=tuple(zip(across, down, strict=True)),
        )

    def _rows(self, lines: Iterable[Line]) -> Iterator[Item]:
        for line in lines:
            self._count += 1
            row: Row = {
                "id": self._count,
                # Not "start_time": viewers take a JSON file that has it for scenes.
                "start": round(line.start, 3),
                "end": round(line.end if line.end is not None else line.last_seen, 3),
                "text": line.text,
                "confidence": round(line.best.confidence, 4),
                "bbox": [round(side, 2) for side in line.best.box],
                "polygon": [[round(x, 2), round(y, 2)] for x, y in line.best.polygon],
                "frame_number": line.frame,
                "samples": line.samples,
            }
            yield Item(list=TEXTS, row=row)


def _export(name: str) -> ArtefactSpec:
    suffix, title, media_type = _FORMATS[name]
    return ArtefactSpec(
        suffix=suffix,
        format=title,
        media_type=media_type,
        counted=TEXTS,
        writer=name,
        options={"text": "text", "unnamed": "text in the picture", "columns": _COLUMNS},
    )
