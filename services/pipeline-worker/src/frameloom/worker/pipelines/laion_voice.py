"""Scores for many emotions in the voice, segment by segment, by networks that the operator brings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from frameloom.common.documents.task import FailureCategory
from frameloom.common.pipelines import ArtefactSpec, Item, MediaInfo, Output, PipelineInfo, Row
from frameloom.worker.models.spec import ModelUnavailableError
from frameloom.worker.pipelines.base import Only, PipelineConfig, SoundPipeline
from frameloom.worker.pipelines.heads import heads, scores
from frameloom.worker.pipelines.speech import activity
from frameloom.worker.pipelines.supplied import SuppliedModels, listed, unfit, why_missing
from frameloom.worker.pipelines.voice.segments import FixedSegments, Segment, SpokenSegments
from frameloom.worker.sound.base import SoundBlock

if TYPE_CHECKING:
    import numpy.typing as npt

VERSION = "1.0.0"
ENCODER, HEADS, LARGE_HEADS = "laion-voice-encoder", "laion-voice-heads", "laion-voice-heads-large"
SEGMENTS = "segments"

_WINDOW_SECONDS = 30
_WINDOW = _WINDOW_SECONDS * activity.RATE_HZ
_WHISPER = "mkrausio/EmoWhisper-AnS-Small-v0.1"
_CACHE = "./models/laion_voice"
_OTHER = "Run {0} in the same job: its file has the same times."
_LARGE = "the large emotion heads as safetensors"

Export = Literal["emotion", "webvtt", "csv"]


class LaionVoiceConfig(PipelineConfig):
    """Configuration of ``laion_voice``; has every key of VideoAnnotator's pipeline of this name."""

    model_size: Literal["small", "large"] = Field(
        "small", description="Size of the scoring networks; the operator has to supply the large ones too."
    )
    whisper_model: Annotated[
        str, Only(_WHISPER, "The network behind the embeddings is the one that the operator supplied.")
    ] = _WHISPER
    cache_dir: Annotated[str, Only(_CACHE, "No job names a folder of a worker.")] = _CACHE
    min_segment_duration: float = Field(
        1.0,
        gt=0,
        le=300,
        description="Shortest segment, in seconds.",
        json_schema_extra={"x-at-most": "max_segment_duration"},
    )
    max_segment_duration: float = Field(
        30.0, gt=0, le=300, description="Longest segment, in seconds. Longer ones would be kept in memory."
    )
    segmentation_mode: Literal["fixed_interval", "vad"] = Field(
        "fixed_interval",
        description="Where segments begin and end: at fixed times, or at pauses. Turns of speakers are known "
        "only when all was heard, and who listens sees no scenes.",
    )
    segment_overlap: float = Field(
        0.0,
        ge=0,
        le=300,
        description="How far neighbouring segments at fixed times overlap, in seconds; each begins at least "
        "half a second after the one before.",
        json_schema_extra={"x-at-most": "max_segment_duration"},
    )
    enable_diarization: Annotated[bool, Only(False, _OTHER.format("speaker_diarization"))] = False
    enable_scene_alignment: Annotated[bool, Only(False, _OTHER.format("scene_detection"))] = False
    include_raw_scores: bool = Field(
        default=False, description="Write the networks' raw scores, of all emotions."
    )
    include_transcription: Annotated[bool, Only(False, _OTHER.format("speech_recognition"))] = False
    top_k_emotions: int = Field(
        5, ge=1, le=100, description="How many of the strongest emotions a segment has."
    )
    exports: list[Export] = Field([], max_length=3, description="Further files of the segments.")

    @model_validator(mode="after")
    def _in_order(self) -> LaionVoiceConfig:
        for name in ("min_segment_duration", "segment_overlap"):
            if getattr(self, name) > self.max_segment_duration:
                raise ValueError(f"{name} is more than max_segment_duration")
        return self


class LaionVoice(SuppliedModels, SoundPipeline):
    """One row per segment."""

    Config = LaionVoiceConfig
    required_models = (ENCODER, HEADS)
    optional_models = (activity.MODEL,)
    required_modules = ("onnxruntime", "faster_whisper")
    brought: ClassVar[dict[str, str]] = {
        ENCODER: "the encoder of a Whisper network as ONNX, such as EmoWhisper-AnS-Small",
        HEADS: "the emotion heads for it as safetensors, such as Empathic-Insight-Voice-Small",
    }
    info: ClassVar[PipelineInfo] = PipelineInfo(
        name="laion_voice",
        version=VERSION,
        display_name="Empathic Voice Analysis (LAION)",
        description="Scores emotions in the voice, segment by segment, by the operator's networks.",
        pipeline_family="audio",
        variant="laion-empathic-whisper",
        tasks=("emotion-recognition", "audio-analysis"),
        modalities=("audio",),
        capabilities=("embedding", "empathic-analysis"),
        backends=("onnxruntime",),
        stability="experimental",
        outputs=(Output(format="JSON", types=("emotion_segments", "empathic_scores")),),
        config_schema=LaionVoiceConfig.model_json_schema(),
        examples=(
            {"max_segment_duration": 10.0, "top_k_emotions": 3},
            {"segmentation_mode": "vad", "exports": ["webvtt"]},
        ),
    )
    config: LaionVoiceConfig

    def load(self) -> None:
        """Opens the networks.

        Raises:
            ModelUnavailableError: One is missing, or another one than described.
        """
        from faster_whisper.feature_extractor import FeatureExtractor  # noqa: PLC0415 - seldom

        from frameloom.worker.pipelines.onnx_files import network  # noqa: PLC0415 - onnxruntime

        if self.config.model_size == "large" and not listed(self.models, LARGE_HEADS):
            reason = why_missing(LARGE_HEADS, _LARGE)
            raise ModelUnavailableError(FailureCategory.PROVIDER_TERMINAL, reason)
        self._encoder = network(self.models, ENCODER)
        shape = self._encoder.shape
        if len(shape) != 3 or shape[2] not in {3000, None}:
            raise unfit(ENCODER, f"its input is {list(shape)}, not log-mel bands [N, bands, 3000]")
        self._bands = FeatureExtractor(feature_size=shape[1] or 80)
        self._heads = heads(self.models, self._head_name)

    def begin(self, media: MediaInfo) -> None:
        """Nothing has been heard yet."""
        super().begin(media)
        config = self.config
        self._segments: FixedSegments | SpokenSegments
        if config.segmentation_mode == "vad":
            scorer = activity.scorer(self.models)
            self._segments = SpokenSegments(scorer, config.max_segment_duration, config.min_segment_duration)
        else:
            self._segments = FixedSegments(
                config.max_segment_duration, config.min_segment_duration, config.segment_overlap
            )
        self._rows = 0

    def process(self, block: SoundBlock) -> Iterator[Item]:
        """Rows of the segments that are complete."""
        for segment in self._segments.feed(block.samples):
            yield self._row(segment)

    def finish(self) -> Iterator[Item]:
        """The last segment."""
        for segment in self._segments.flush():
            yield self._row(segment)

    def artefacts(self) -> tuple[ArtefactSpec, ...]:
        """The file of VideoAnnotator's pipeline, and those of ``exports``."""
        metadata: Row = {
            "source": "audio",
            "pipeline": self.info.name,
            "model_size": self.config.model_size,
            "segmentation_mode": self.config.segmentation_mode,
            "total_segments": self._rows,
        }
        main = ArtefactSpec(
            suffix="_voice_emotions.json",
            format="JSON",
            lists=(SEGMENTS,),
            counted=SEGMENTS,
            tail={"metadata": metadata},
        )
        return main, *(_export(name) for name in dict.fromkeys(self.config.exports))

    def models_used(self) -> dict[str, str]:
        """With the network that finds speech where it was asked."""
        more = [activity.MODEL] if self.config.segmentation_mode == "vad" else []
        return {name: self.models.digest(name) for name in (ENCODER, self._head_name, *more)}

    @property
    def _head_name(self) -> str:
        return LARGE_HEADS if self.config.model_size == "large" else HEADS

    def _row(self, segment: Segment) -> Item:
        self._rows += 1
        raw = self._raw(segment.samples)
        said = scores(self._heads.names, raw)
        best = list(said.items())[: self.config.top_k_emotions]
        row: Row = {
            "start_time": round(segment.begin, 3),
            "end_time": round(segment.end, 3),
            "emotions": {name: {"score": round(one.share, 6), "rank": one.rank} for name, one in best},
            "model_info": {"model_size": self.config.model_size},
        }
        if self.config.include_raw_scores:
            row["raw_scores"] = {name: round(one.raw, 6) for name, one in said.items()}
        if self.config.exports:
            row["emotion_scores"] = {name: round(one.share, 6) for name, one in best}
            row["strongest"] = ", ".join(name for name, _ in best[:3])
        return Item(list=SEGMENTS, row=row)

    def _raw(self, samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Mean of the raw scores of each half minute of a segment, by its length."""
        total, weight = np.zeros(len(self._heads.names), np.float64), 0
        for begin in range(0, len(samples), _WINDOW):
            part = samples[begin : begin + _WINDOW]
            heard = np.pad(part, (0, _WINDOW - len(part)))
            bands = np.asarray(self._bands(heard, padding=0), np.float32)[None, :, : _WINDOW // 160]
            output = self._encoder.outputs[0]
            states = self._encoder.run(bands, (output,))[output].reshape(1, -1)
            total += len(part) * self._heads.raw(states)[0]
            weight += len(part)
        return (total / max(1, weight)).astype(np.float32)


def _export(name: Export) -> ArtefactSpec:
    if name == "emotion":
        options: Row = {
            "modality": "audio",
            "channels": ["voice"],
            "aggregation": "segment",
            "subject": "speaker",
        }
        return ArtefactSpec(
            suffix=".voice.emotion.json",
            format="emotion",
            counted=SEGMENTS,
            writer="emotion",
            options=options,
        )
    if name == "webvtt":
        return ArtefactSpec(
            suffix="_voice_emotions.vtt",
            format="WebVTT",
            media_type="text/vtt",
            counted=SEGMENTS,
            writer="webvtt",
            options={"text": "strongest"},
        )
    columns = [
        ["start", "start_time", "number"],
        ["end", "end_time", "number"],
        ["strongest", "strongest", "text"],
    ]
    return ArtefactSpec(
        suffix="_voice_emotions.csv",
        format="CSV",
        media_type="text/csv",
        counted=SEGMENTS,
        writer="csv",
        options={"columns": [*columns, ["scores", "emotion_scores", "text"]]},
    )
