"""Runs one pipeline over one local file: probe, decode, process. Knows nothing of tasks or Kafka."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from frameloom.common.documents.task import FailureCategory
from frameloom.common.pipelines import ArtefactSpec, Item, MediaInfo, Progress
from frameloom.worker.errors import TaskError
from frameloom.worker.frames.base import open_frames
from frameloom.worker.media.probe import probe
from frameloom.worker.pipelines.base import Pipeline

Emit = Callable[[Sequence[Item], float, float], None]
"""Takes rows and the range of media time, in seconds, in which they became certain."""

_NEARLY_DONE = 0.99


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What a finished run tells.

    Attributes:
        frames: Frames that the pipeline looked at.
        frames_decoded: Frames that the decoder delivered for it.
        media_seconds: Length of the video.
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
    media = probe(path)
    progress(Progress(stage="loading", fraction=0.0))
    pipeline.load()
    pipeline.video_id = video_id if video_id is not None else Path(path).stem
    pipeline.begin(media)
    frames, reached = 0, 0.0
    with open_frames(path, pipeline.request(media), media=media, backend=backend, threads=threads) as source:
        for batch in source:
            begin, reached = reached, float(batch.timestamps[-1])
            _hand_over(emit, pipeline.process(batch), begin, reached)
            frames += len(batch)
            progress(_annotating(media, frames, reached))
        decoder, decoded = source.backend, source.frames_decoded
    if not frames:
        raise TaskError(FailureCategory.DECODE_ERROR, "No picture of the video can be decoded.")
    end = max(media.duration_seconds, reached)
    progress(
        Progress(stage="finishing", fraction=_NEARLY_DONE, frames_done=frames, media_seconds_done=reached)
    )
    _hand_over(emit, pipeline.finish(), reached, end)
    return RunSummary(
        frames=frames,
        frames_decoded=decoded,
        media_seconds=media.duration_seconds,
        media=media,
        backend=decoder,
        artefacts=pipeline.artefacts(),
        models=pipeline.models_used(),
    )


def _hand_over(emit: Emit, rows: Iterable[Item], begin: float, end: float) -> None:
    items = list(rows)
    if items:
        emit(items, begin, end)


def _annotating(media: MediaInfo, frames: int, reached: float) -> Progress:
    fraction = reached / media.duration_seconds if media.duration_seconds > 0 else 0.0
    return Progress(
        stage="annotating",
        fraction=min(max(fraction, 0.0), _NEARLY_DONE),
        frames_done=frames,
        media_seconds_done=reached,
    )
