"""What is said and who says it, in one pass over the sound."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from frameloom.common.pipelines import ArtefactSpec, Item, MediaInfo, Output, PipelineInfo, Row
from frameloom.worker.pipelines.base import SoundPipeline
from frameloom.worker.pipelines.speaker_diarization import (
    SpeakersConfig,
    turn_artefacts,
    turn_items,
)
from frameloom.worker.pipelines.speech import activity, transcripts, voices
from frameloom.worker.pipelines.speech.attribution import attributed
from frameloom.worker.pipelines.speech.sizes import FILES, SIZES, WhisperSize
from frameloom.worker.pipelines.speech.turns import TurnFinder
from frameloom.worker.pipelines.speech.words import Settings, transcriber
from frameloom.worker.sound.base import SoundBlock

if TYPE_CHECKING:
    from frameloom.worker.pipelines.speech.utterances import Utterance

VERSION = "1.1.0"
_SURE = 0.5
_LEAST_CAPTION_SECONDS = 1.0


class AudioConfig(SpeakersConfig):
    """Configuration of ``audio_processing``; has every key of VideoAnnotator's pipeline of this name."""

    whisper_model: WhisperSize = Field("base", description=SIZES)
    enable_diarization: bool = Field(default=True, description="Also tell the speakers apart.")
    exports: tuple[transcripts.Export, ...] = Field(
        (), max_length=6, description="Further files to write of the transcript."
    )


class AudioProcessing(SoundPipeline):
    """Hands each utterance to Whisper and to the voices; the speakers are told at the end.

    The transcript waits until then, because a row has its speaker: some hundred bytes for each sentence.
    """

    Config = AudioConfig
    required_models = (activity.MODEL, voices.MODEL, *FILES["base"])
    required_modules = ("onnxruntime", "faster_whisper", "torch")
    optional_models = FILES["tiny.en"]
    info: ClassVar[PipelineInfo] = PipelineInfo(
        name="audio_processing",
        version=VERSION,
        display_name="Audio Processing",
        description="Transcribes speech and tells who speaks when, in one pass over the sound track.",
        pipeline_family="audio",
        variant="whisper-resemblyzer",
        tasks=("speech-transcription", "speaker-diarization"),
        modalities=("audio",),
        capabilities=("streaming", "word-timestamps", "speaker-turns"),
        backends=("ctranslate2", "pytorch", "onnxruntime"),
        stability="beta",
        outputs=(
            Output(format="WebVTT", types=("transcript",)),
            Output(format="RTTM", types=("speaker_turns",)),
        ),
        config_schema=AudioConfig.model_json_schema(),
        examples=({"whisper_model": "tiny.en", "max_speakers": 4}, {"exports": ["chat"]}),
    )
    config: AudioConfig

    def load(self) -> None:
        """Loads the networks."""
        from frameloom.worker.pipelines.speech.utterances import UtteranceCutter  # noqa: PLC0415

        self._cutter = UtteranceCutter(activity.scorer(self.models))
        self._scribe = transcriber(self.models, self.config.whisper_model)
        wanted = self.config.enable_diarization
        self._finder = TurnFinder(voices.encoder(self.models)) if wanted else None

    def begin(self, media: MediaInfo) -> None:
        """Nobody has spoken yet."""
        super().begin(media)
        self._language = None if self._scribe.multilingual else "en"
        self._rows: list[Row] = []
        self._speakers = 0

    def process(self, block: SoundBlock) -> Iterator[Item]:
        """Works on the utterances that ended."""
        for utterance in self._cutter.feed(block.samples):
            self._take(utterance)
        return iter(())

    def finish(self) -> Iterator[Item]:
        """The turns, then the transcript with its speakers."""
        for utterance in self._cutter.flush():
            self._take(utterance)
        turns = self._finder.turns(self.config.min_speakers, self.config.max_speakers) if self._finder else []
        self._speakers = len({turn.speaker for turn in turns})
        yield from turn_items(turns)
        rows = list(attributed(self._rows, turns)) if self._finder else self._rows
        yield from transcripts.items(transcripts.stretched(rows, _LEAST_CAPTION_SECONDS))

    def artefacts(self) -> tuple[ArtefactSpec, ...]:
        """The files of the transcript and, unless it is switched off, of the speakers."""
        info: Row = {
            "description": "Frameloom transcript with speakers",
            "version": VERSION,
            "whisper_model": self.config.whisper_model,
            "speakers": self._speakers,
        }
        seconds = self.media.duration_seconds
        files = transcripts.artefacts(
            info, self.config.exports, media_seconds=seconds, language=self._language
        )
        return (*files, *(turn_artefacts(info, (), seconds) if self._finder else ()))

    def models_used(self) -> dict[str, str]:
        """The networks behind the result."""
        names = [activity.MODEL, FILES[self.config.whisper_model][0]]
        names += [voices.MODEL] if self._finder else []
        return {model: self.models.digest(model) for model in names}

    def _take(self, utterance: Utterance) -> None:
        if self._finder is not None:
            self._finder.add(utterance)
        language = self._language
        if language is None:
            language, probability = self._scribe.language(utterance.samples)
            if probability >= _SURE:
                self._language = language
        for sentence in self._scribe.transcribe(utterance.samples, Settings(language=language)):
            number = len(self._rows) + 1
            self._rows.append(transcripts.row(number, sentence, utterance.start_seconds, language))
