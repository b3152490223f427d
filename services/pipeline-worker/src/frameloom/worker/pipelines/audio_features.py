"""Figures of acoustics over time: loudness, pitch, spectrum, cepstrum."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, get_args

from pydantic import Field, field_validator

from frameloom.common.pipelines import ArtefactSpec, Item, MediaInfo, Output, PipelineInfo, Row
from frameloom.worker.pipelines.base import Only, PipelineConfig, SoundPipeline
from frameloom.worker.pipelines.sounds import egemaps, figures
from frameloom.worker.pipelines.sounds.figures import RATE_HZ, Feature, Wanted
from frameloom.worker.pipelines.sounds.summary import Summary
from frameloom.worker.pipelines.sounds.windows import Window, Windows
from frameloom.worker.sound.base import SoundBlock, SoundRequest
from frameloom.worker.sound.sharing import Reblocker

VERSION = "1.0.0"
FRAMES = "frames"
SUMMARY = "summary"
EGEMAPS = "egemaps"
_FEATURES: tuple[Feature, ...] = get_args(Feature)
_NOT_BY_DEFAULT = ("spectral_contrast", "chroma")

if TYPE_CHECKING:
    Switch = bool
else:
    Switch = bool if egemaps.installed() else Annotated[bool, Only(False, egemaps.MISSING)]


class FeaturesConfig(PipelineConfig):
    """Configuration of ``audio_features``."""

    features: tuple[Feature, ...] = Field(
        tuple(name for name in _FEATURES if name not in _NOT_BY_DEFAULT),
        min_length=1,
        max_length=len(_FEATURES),
        description="What is computed: any of " + ", ".join(_FEATURES) + ".",
    )
    hop_seconds: float = Field(
        0.02, ge=0.005, le=1, description="From one row to the next, in seconds. Rounded to 1/16000."
    )
    mfcc_count: int = Field(13, ge=1, le=40, description="How many cepstral coefficients.")
    pitch: Literal["pyin", "yin"] = Field(
        "pyin",
        description="pyin tells where there is a voice, and no pitch where there is none. yin is far "
        "quicker and gives a pitch for every row, also for noise.",
    )
    pitch_min_hz: float = Field(65.0, ge=20, le=200, description="Lowest pitch that is looked for.")
    pitch_max_hz: float = Field(500.0, ge=250, le=2000, description="Highest pitch that is looked for.")
    egemaps: Switch = Field(default=False, description=egemaps.MEANING)
    egemaps_seconds: float = Field(
        10.0, ge=1, le=600, description="Length of a stretch for eGeMAPS; they do not overlap."
    )

    @field_validator("features")
    @classmethod
    def _in_order(cls, features: tuple[Feature, ...]) -> tuple[Feature, ...]:
        """Each once, so that files of different jobs have their columns in the same order."""
        return tuple(name for name in _FEATURES if name in features)

    @property
    def wanted(self) -> Wanted:
        """What is to be computed."""
        return Wanted(
            features=self.features,
            hop=round(self.hop_seconds * RATE_HZ),
            mfcc=self.mfcc_count,
            pitch=self.pitch,
            lowest_hz=self.pitch_min_hz,
            highest_hz=self.pitch_max_hz,
        )


class AudioFeatures(SoundPipeline):
    """Computes windows of ten seconds at fixed times, so that the blocks that come in do not show."""

    Config = FeaturesConfig
    required_modules = ("librosa",)
    info: ClassVar[PipelineInfo] = PipelineInfo(
        name="audio_features",
        version=VERSION,
        display_name="Audio Features",
        description="Loudness, pitch, spectrum and cepstrum of the sound over time.",
        pipeline_family="sound",
        variant="librosa",
        tasks=("audio-feature-extraction", "pitch-estimation"),
        modalities=("audio",),
        capabilities=("streaming", "timeline"),
        backends=("numpy",),
        stability="beta",
        outputs=(
            Output(format="CSV", types=("audio_features",)),
            Output(format="Parquet", types=("audio_features",)),
            Output(format="JSON", types=("audio_features_summary",)),
        ),
        config_schema=FeaturesConfig.model_json_schema(),
        examples=(
            {"features": ["rms", "f0"], "hop_seconds": 0.01, "pitch_max_hz": 800},
            {"features": ["mfcc"], "mfcc_count": 20},
        ),
    )
    config: FeaturesConfig

    def load(self) -> None:
        """Imports the libraries."""
        self._librosa = figures.librosa_in(self.models.directory / ".numba")
        self._egemaps = egemaps.Egemaps() if self.config.egemaps else None

    def begin(self, media: MediaInfo) -> None:
        """Nothing was computed yet."""
        super().begin(media)
        self._wanted = self.config.wanted
        self._windows = Windows(self._wanted.grid)
        self._summary = Summary(self._wanted.columns)
        self._stretches = Reblocker(SoundRequest(RATE_HZ, self.config.egemaps_seconds))

    def process(self, block: SoundBlock) -> Iterator[Item]:
        """The rows of the windows that are complete."""
        yield from self._rows(self._windows.feed(block.samples))
        if self._egemaps is not None:
            yield from self._stretched(self._stretches.feed(block.samples))

    def finish(self) -> Iterator[Item]:
        """What is left, and the summary."""
        yield from self._rows(self._windows.flush())
        if self._egemaps is not None:
            yield from self._stretched(self._stretches.rest())
        for row in self._summary.rows():
            yield Item(list=SUMMARY, row=row)

    def artefacts(self) -> tuple[ArtefactSpec, ...]:
        """A summary as JSON, and all rows as CSV and Parquet."""
        info: Row = {
            "description": "Frameloom audio features",
            "version": VERSION,
            "features": list(self.config.features),
            "hop_seconds": self._wanted.hop / RATE_HZ,
            "frame_seconds": figures.FRAME / RATE_HZ,
            "rate_hz": RATE_HZ,
        }
        whole = ArtefactSpec(
            suffix="_audio_features.json",
            format="JSON",
            head={"info": info},
            lists=(SUMMARY, EGEMAPS) if self._egemaps else (SUMMARY,),
            counted=SUMMARY,
        )
        tables = list(_tables("_audio_features", FRAMES, self._wanted.columns))
        if self._egemaps:
            tables += _tables("_egemaps", EGEMAPS, self._egemaps.columns)
        return (whole, *tables)

    def _rows(self, windows: Iterable[Window]) -> Iterator[Item]:
        for window in windows:
            found = figures.rows(self._librosa, self._wanted, window)
            self._summary.add(found)
            for row in found:
                yield Item(list=FRAMES, row=row)

    def _stretched(self, blocks: Iterable[SoundBlock]) -> Iterator[Item]:
        for block in blocks:
            if self._egemaps is not None and (row := self._egemaps.row(block)) is not None:
                yield Item(list=EGEMAPS, row=row)


def _tables(stem: str, rows: str, columns: list[tuple[str, str, str]]) -> Iterator[ArtefactSpec]:
    for writer, suffix, title, media_type in (
        ("csv", ".csv", "CSV", "text/csv"),
        ("parquet", ".parquet", "Parquet", "application/vnd.apache.parquet"),
    ):
        yield ArtefactSpec(
            suffix=stem + suffix,
            format=title,
            media_type=media_type,
            counted=rows,
            writer=writer,
            options={"columns": columns},
        )
