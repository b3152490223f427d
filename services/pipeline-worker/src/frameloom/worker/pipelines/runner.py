"""Runs one pipeline over one local file: probe, decode, process. Knows nothing of tasks or Kafka."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from frameloom.common.documents.task import FailureCategory
from frameloom.common.pipelines import ArtefactSpec, Item, MediaInfo, Progress
from frameloom.worker.errors import TaskError
from frameloom.worker.frames.base import open_frames
from frameloom.worker.media.hearing import probe_sound
from frameloom.worker.media.probe import probe
from frameloom.worker.pipelines.base import FramePipeline, Pipeline, SoundPipeline
from frameloom.worker.sound.base import open_sound

Emit = Callable[[Sequence[Item], float, float], None]
"""Takes rows and the range of media time, in seconds, in which they became certain."""

_NEARLY_DONE = 0.99


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What a finished run tells.

    Attributes:
        frames: Frames that the pipeline looked at; 0 if it listened.
        frames_decoded: Frames that the decoder delivered for it.
        media_seconds: Length of the video, or of the sound.
        media: What probing found.
        backend: The decoder, with its version.
        artefacts: The files to be assembled.
        models: sha256 of each model used, by name.
    """

    frames: int
    frames_decoded: int
    media_seconds: float
    media: MediaInfo
    backend: str
    artefacts: tuple[ArtefactSpec, ...]
    models: dict[str, str]


def run(
    pipeline: Pipeline,
    path: str | Path,
    *,
    emit: Emit,
    progress: Callable[[Progress], None],
    backend: str = "auto",
    video_id: str | None = None,
    threads: int | None = None,
) -> RunSummary:
    """Runs the pipeline to the end of the file.

    Args:
        pipeline: A fresh object.
        path: The media file.
        emit: Called with rows as they come, never with none. Ranges follow each other without overlap.
        progress: Called at every stage and after every batch; the caller may thin it out.
        backend: Frame decoder, or ``auto``.
        video_id: What the rows call the video; by default the stem of the file name.
        threads: Decoding threads; see ``open_frames``.

    Returns:
        The summary.

    Raises:
        TaskError: The file or the configuration is at fault, or a model can not be had.
    """
    progress(Progress(stage="probing", fraction=0.0))
    media = probe_sound(path) if isinstance(pipeline, SoundPipeline) else probe(path)
    progress(Progress(stage="loading", fraction=0.0))
    pipeline.load()
    pipeline.video_id = video_id if video_id is not None else Path(path).stem
    pipeline.begin(media)
    told = _Told(media, emit, progress)
    if isinstance(pipeline, FramePipeline):
        decoder, decoded = _look(pipeline, path, told, backend=backend, threads=threads)
    elif isinstance(pipeline, SoundPipeline):
        decoder, decoded = _listen(pipeline, path, told), 0
    else:
        raise TypeError(f"{type(pipeline).__name__} is neither a FramePipeline nor a SoundPipeline")
    told.finish(pipeline.finish())
    return RunSummary(
        frames=told.frames,
        frames_decoded=decoded,
        media_seconds=media.duration_seconds,
        media=media,
        backend=decoder,
        artefacts=pipeline.artefacts(),
        models=pipeline.models_used(),
    )


def _look(
    pipeline: FramePipeline, path: str | Path, told: _Told, *, backend: str, threads: int | None
) -> tuple[str, int]:
    """Goes through the frames; answers the decoder, and how many frames it delivered."""
    request = pipeline.request(told.media)
    with open_frames(path, request, media=told.media, backend=backend, threads=threads) as source:
        for batch in source:
            told.add(pipeline.process(batch), float(batch.timestamps[-1]), frames=len(batch))
        if not told.frames:
            raise TaskError(FailureCategory.DECODE_ERROR, "No picture of the video can be decoded.")
        return source.backend, source.frames_decoded


def _listen(pipeline: SoundPipeline, path: str | Path, told: _Told) -> str:
    """Goes through the sound; answers the decoder."""
    with open_sound(path, pipeline.request(told.media)) as source:
        for block in source:
            told.add(pipeline.process(block), block.end_seconds)
        return source.backend


class _Told:
    """What a run has handed out so far.

    Attributes:
        media: What probing found.
        frames: Frames that were looked at.
    """

    def __init__(self, media: MediaInfo, emit: Emit, progress: Callable[[Progress], None]) -> None:
        self.media = media
        self.frames = 0
        self._emit = emit
        self._progress = progress
        self._reached = 0.0

    def add(self, rows: Iterable[Item], reached: float, *, frames: int = 0) -> None:
        """The rows that became certain up to a time, in seconds."""
        begin, self._reached = self._reached, reached
        self._hand_over(rows, begin, reached)
        self.frames += frames
        self._progress(_annotating(self.media, self.frames, reached))

    def finish(self, rows: Iterable[Item]) -> None:
        """The rows that waited for the end."""
        self._progress(
            Progress(
                stage="finishing",
                fraction=_NEARLY_DONE,
                frames_done=self.frames,
                media_seconds_done=self._reached,
            )
        )
        self._hand_over(rows, self._reached, max(self.media.duration_seconds, self._reached))

    def _hand_over(self, rows: Iterable[Item], begin: float, end: float) -> None:
        items = list(rows)
        if items:
            self._emit(items, begin, end)


def _annotating(media: MediaInfo, frames: int, reached: float) -> Progress:
    fraction = reached / media.duration_seconds if media.duration_seconds > 0 else 0.0
    return Progress(
        stage="annotating",
        fraction=min(max(fraction, 0.0), _NEARLY_DONE),
        frames_done=frames,
        media_seconds_done=reached,
    )
