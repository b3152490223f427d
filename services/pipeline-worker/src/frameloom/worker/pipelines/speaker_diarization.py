"""Who speaks when."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from frameloom.common.pipelines import ArtefactSpec, Item, MediaInfo, Output, PipelineInfo, Row
from frameloom.worker.pipelines.base import Only, PipelineConfig, SoundPipeline
from frameloom.worker.pipelines.speech import activity, voices
from frameloom.worker.pipelines.speech.turns import Turn, TurnFinder, name
from frameloom.worker.sound.base import SoundBlock

VERSION = "1.0.0"
TURNS = "turns"
_PYANNOTE = "pyannote/speaker-diarization-3.1"
_OTHER_NETWORK = (
    "Accepted so that VideoAnnotator's configurations pass: a gated network, which is not used here. "
    "Resemblyzer's voices are."
)
Export = Literal["textgrid", "elan", "csv", "parquet"]
_COLUMNS = [("start", "start", "number"), ("end", "end", "number"), ("speaker", "speaker", "text")]
_FORMATS: dict[str, tuple[str, str, str]] = {
    "textgrid": ("_speakers.TextGrid", "TextGrid", "text/plain"),
    "elan": ("_speakers.eaf", "ELAN", "application/xml"),
    "csv": ("_speakers.csv", "CSV", "text/csv"),
    "parquet": ("_speakers.parquet", "Parquet", "application/vnd.apache.parquet"),
}


class SpeakersConfig(PipelineConfig):
    """How many speakers there are."""

    min_speakers: int = Field(
        1,
        ge=1,
        le=100,
        description="Fewest speakers to tell apart. Give it where you know it.",
        json_schema_extra={"x-at-most": "max_speakers"},
    )
    max_speakers: int = Field(10, ge=1, le=100, description="Most speakers to tell apart.")

    @model_validator(mode="after")
    def _in_order(self) -> SpeakersConfig:
        if self.min_speakers > self.max_speakers:
            raise ValueError("min_speakers is above max_speakers")
        return self


class DiarizationConfig(SpeakersConfig):
    """Configuration of ``speaker_diarization``; has every key of VideoAnnotator's pipeline of this name."""

    model: Annotated[str, Only(_PYANNOTE, _OTHER_NETWORK)] = _PYANNOTE
    use_auth_token: bool = Field(
        default=True, description="For pyannote's gated network, which is not used here: has no effect."
    )
    exports: tuple[Export, ...] = Field(
        (), max_length=4, description="Further files to write of the speakers' turns."
    )


class SpeakerDiarization(SoundPipeline):
    """Finds speech, gives each quarter of a second a voice, and groups the voices at the end."""

    Config = DiarizationConfig
    required_models = (activity.MODEL, voices.MODEL)
    required_modules = ("onnxruntime", "torch")
    info: ClassVar[PipelineInfo] = PipelineInfo(
        name="speaker_diarization",
        version=VERSION,
        display_name="Speaker Diarization",
        description="Tells who speaks when.",
        pipeline_family="audio",
        variant="resemblyzer",
        tasks=("speaker-diarization", "speaker-segmentation"),
        modalities=("audio",),
        capabilities=("timeline", "speaker-turns"),
        backends=("pytorch", "onnxruntime"),
        stability="beta",
        outputs=(Output(format="RTTM", types=("speaker_turns",)),),
        config_schema=DiarizationConfig.model_json_schema(),
        examples=({"min_speakers": 2, "max_speakers": 2}, {"exports": ["textgrid"]}),
    )
    config: DiarizationConfig

    def load(self) -> None:
        """Loads both networks."""
        from frameloom.worker.pipelines.speech.utterances import UtteranceCutter  # noqa: PLC0415

        self._cutter = UtteranceCutter(activity.scorer(self.models))
        self._finder = TurnFinder(voices.encoder(self.models))

    def begin(self, media: MediaInfo) -> None:
        """Nobody has spoken yet."""
        super().begin(media)
        self._speakers = 0

    def process(self, block: SoundBlock) -> Iterator[Item]:
        """Collects voices: who is who shows only when all were heard."""
        for utterance in self._cutter.feed(block.samples):
            self._finder.add(utterance)
        return iter(())

    def finish(self) -> Iterator[Item]:
        """One row per turn."""
        for utterance in self._cutter.flush():
            self._finder.add(utterance)
        turns = self._finder.turns(self.config.min_speakers, self.config.max_speakers)
        self._speakers = len({turn.speaker for turn in turns})
        return turn_items(turns)

    def artefacts(self) -> tuple[ArtefactSpec, ...]:
        """RTTM, JSON, and the exports."""
        info: Row = {
            "description": "Frameloom speakers",
            "version": VERSION,
            "speakers": self._speakers,
            "voices": voices.MODEL,
        }
        return turn_artefacts(info, self.config.exports, self.media.duration_seconds)


def turn_items(turns: list[Turn]) -> Iterator[Item]:
    """The rows of turns, in order of time."""
    for number, turn in enumerate(turns, start=1):
        row: Row = {
            "id": number,
            "start": round(turn.begin, 3),
            "end": round(turn.end, 3),
            "speaker": name(turn.speaker),
        }
        yield Item(list=TURNS, row=row)


def turn_artefacts(info: Row, exports: tuple[str, ...], media_seconds: float) -> tuple[ArtefactSpec, ...]:
    """The files that turns become."""
    options = {"tier": "speaker", "text": "speaker", "unnamed": "speech", "media_seconds": media_seconds}
    files = [
        ArtefactSpec(
            suffix="_speaker_diarization.rttm",
            format="RTTM",
            media_type="text/plain",
            counted=TURNS,
            writer="rttm",
            options=options,
        ),
        ArtefactSpec(
            suffix="_speakers.json", format="JSON", head={"info": info}, lists=(TURNS,), counted=TURNS
        ),
    ]
    for export in dict.fromkeys(exports):
        suffix, title, media_type = _FORMATS[export]
        files.append(
            ArtefactSpec(
                suffix=suffix,
                format=title,
                media_type=media_type,
                counted=TURNS,
                writer=export,
                options={**options, "columns": _COLUMNS},
            )
        )
    return tuple(files)
