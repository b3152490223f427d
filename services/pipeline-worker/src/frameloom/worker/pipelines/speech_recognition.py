"""What is said, with a time for every word."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from frameloom.common.pipelines import ArtefactSpec, Item, MediaInfo, Output, PipelineInfo, Row, Segmentation
from frameloom.worker.pipelines.base import SegmentableConfig, SoundPipeline
from frameloom.worker.pipelines.pieces import Piece
from frameloom.worker.pipelines.speech import activity, sizes, stitching, transcripts
from frameloom.worker.pipelines.speech.sizes import FILES
from frameloom.worker.pipelines.speech.words import Sentence, Settings, transcriber
from frameloom.worker.sound.base import SoundBlock

if TYPE_CHECKING:
    from frameloom.worker.pipelines.speech.utterances import Utterance

VERSION = "1.0.0"
_ENGLISH = "en"
_LANGUAGE = "_language"
"""List of the row in which a segment tells the language that it was sure of."""
_SURE = 0.5
"""From this probability on a recognised language holds for the rest of the file."""


class SpeechConfig(SegmentableConfig):
    """Configuration of ``speech_recognition``; has every key of VideoAnnotator's pipeline of this name."""

    model_config = ConfigDict(json_schema_extra=sizes.ENGLISH_FOR_ENGLISH)

    whisper_model: sizes.WhisperSize = Field("base", description=sizes.SIZES)
    language: str | None = Field(
        None,
        pattern=sizes.language_pattern(),
        description="Code of the spoken language, one of Whisper's 99, such as en, de or pt-BR (the country "
        "does not count). None: it is recognised.",
    )
    task: Literal["transcribe", "translate"] = Field(
        "transcribe", description="translate writes English whatever is spoken."
    )
    beam_size: int = Field(5, ge=1, le=20, description="Width of the beam search at temperature 0.")
    best_of: int = Field(5, ge=1, le=20, description="Candidates at temperatures above 0.")
    temperature: float = Field(0.0, ge=0, le=1, description="0 always takes the likeliest word.")
    patience: float = Field(1.0, gt=0, le=10, description="How long the beam search goes on.")
    length_penalty: float = Field(1.0, ge=0, le=1, description="How much long sentences are favoured.")
    word_timestamps: bool = Field(default=True, description="Write a time for every word.")
    min_segment_duration: float = Field(
        1.0, ge=0, le=3600, description="Shortest caption, in seconds; a shorter one stays that long."
    )
    prepend_punctuations: str = Field(
        "\"'¿([{-", max_length=100, description="Marks that belong to the word after them."
    )
    append_punctuations: str = Field(
        "\"'..,!?:)]},", max_length=100, description="Marks that belong to the word before them."
    )
    suppress_tokens: str | None = Field(
        None,
        pattern="^-?[0-9]{1,6}(,-?[0-9]{1,6})*$",
        max_length=10_000,
        description="Numbers of tokens that are never written, with commas between.",
    )
    exports: tuple[transcripts.Export, ...] = Field(
        (), max_length=6, description="Further files to write of the transcript."
    )

    @model_validator(mode="after")
    def _understood(self) -> Self:
        if sizes.english_only(self.whisper_model) and self.code not in {None, _ENGLISH}:
            raise ValueError(f"Whisper {self.whisper_model} understands English only, not {self.language}")
        return self

    @property
    def code(self) -> str | None:
        """The language as Whisper calls it."""
        return None if self.language is None else self.language.lower().partition("-")[0]

    def settings(self, language: str | None) -> Settings:
        """How Whisper is to search."""
        tokens = self.suppress_tokens or "-1"
        return Settings(
            language=language,
            task=self.task,
            beam_size=self.beam_size,
            best_of=self.best_of,
            temperature=self.temperature,
            patience=self.patience,
            length_penalty=self.length_penalty,
            word_timestamps=self.word_timestamps,
            prepend_punctuations=self.prepend_punctuations,
            append_punctuations=self.append_punctuations,
            suppress_tokens=tuple(int(token) for token in tokens.split(",")),
        )


class SpeechRecognition(SoundPipeline):
    """Finds speech, cuts it into utterances, and writes down each."""

    Config = SpeechConfig
    required_models = (activity.MODEL, *FILES["base"])
    required_modules = ("onnxruntime", "faster_whisper")
    optional_models = FILES["tiny.en"]
    segmentation = Segmentation()
    info: ClassVar[PipelineInfo] = PipelineInfo(
        name="speech_recognition",
        version=VERSION,
        display_name="Speech Recognition",
        description="Transcribes speech, with a time for every word.",
        pipeline_family="audio",
        variant="whisper",
        tasks=("speech-transcription", "automatic-speech-recognition"),
        modalities=("audio",),
        capabilities=("streaming", "word-timestamps", "multilingual"),
        backends=("ctranslate2", "onnxruntime"),
        stability="beta",
        outputs=(Output(format="WebVTT", types=("transcript",)),),
        config_schema=SpeechConfig.model_json_schema(),
        examples=(
            {"whisper_model": "tiny.en"},
            {"language": "de", "exports": ["srt", "textgrid"]},
        ),
    )
    config: SpeechConfig

    def load(self) -> None:
        """Loads both networks."""
        from frameloom.worker.pipelines.speech.utterances import UtteranceCutter, share  # noqa: PLC0415

        self._scribe = transcriber(self.models, self.config.whisper_model)
        self._cutter = UtteranceCutter(activity.scorer(self.models), share=share(self.span))
        self._from = self.span.heard_from(activity.RATE_HZ) / activity.RATE_HZ if self.span else 0.0

    def begin(self, media: MediaInfo) -> None:
        """Forgets the language."""
        super().begin(media)
        english = not self._scribe.multilingual
        self._language = _ENGLISH if english else self.config.code
        self._held: list[Row] = []
        self._count = 0

    def process(self, block: SoundBlock) -> Iterator[Item]:
        """Rows of the utterances that ended; the last one waits for the one after it."""
        for utterance in self._cutter.feed(block.samples):
            yield from self._written(utterance)

    def finish(self) -> Iterator[Item]:
        """Rows of what is left."""
        for utterance in self._cutter.flush():
            yield from self._written(utterance)
        if self.span is not None:
            yield Item(list=_LANGUAGE, row={"language": self._language})
        yield from self._release(all_of_them=True)

    def stitch(self, pieces: Sequence[Piece]) -> Iterator[Item]:
        """Rows of the whole; how long each caption stays is told now that its neighbours are known."""
        for piece in pieces:
            for item in piece.items(_LANGUAGE):
                self._language = self._language or item.row["language"]
        said = ((item.row for item in piece.items(transcripts.SEGMENTS)) for piece in pieces)
        for row in stitching.joined(said):
            self._held.append(row)
            yield from self._release()
        yield from self._release(all_of_them=True)

    def artefacts(self) -> tuple[ArtefactSpec, ...]:
        """WebVTT, JSON with words, and the exports."""
        info: Row = {
            "description": "Frameloom transcript",
            "version": VERSION,
            "whisper_model": self.config.whisper_model,
            "task": self.config.task,
        }
        return transcripts.artefacts(
            info,
            self.config.exports,
            media_seconds=self.media.duration_seconds,
            language=self._language,
        )

    def models_used(self) -> dict[str, str]:
        """The network for speech, and the one for words."""
        names = (activity.MODEL, FILES[self.config.whisper_model][0])
        return {name: self.models.digest(name) for name in names}

    def sentences(self, utterance: Utterance) -> Iterator[tuple[Sentence, str | None]]:
        """What an utterance says, and in which language."""
        language = self._language
        if language is None:
            language, probability = self._scribe.language(utterance.samples)
            if probability >= _SURE:
                self._language = language
        for sentence in self._scribe.transcribe(utterance.samples, self.config.settings(language)):
            yield sentence, language

    def _written(self, utterance: Utterance) -> Iterator[Item]:
        for sentence, language in self.sentences(utterance):
            self._count += 1
            self._held.append(
                transcripts.row(self._count, sentence, utterance.start_seconds + self._from, language)
            )
        yield from self._release()

    def _release(self, *, all_of_them: bool = False) -> Iterator[Item]:
        """All but the last row: how long a caption may stay depends on the next."""
        ready = len(self._held) if all_of_them else len(self._held) - 1
        if ready > 0:
            least = 0.0 if self.span else self.config.min_segment_duration
            rows = transcripts.stretched(self._held, least)[:ready]
            self._held = self._held[ready:]
            yield from transcripts.items(rows)
