"""Runs pipelines over one local file: probe, decode once, process. Knows nothing of tasks or Kafka.

Pipelines that look share one decode of the pictures, those that listen one of the sound. A decoder works
ahead in a thread of its own; pictures and sound are gone through side by side. Pipelines of one pass take
turns batch by batch, so each computes with the whole machine and none waits for the end of another.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from frameloom.common.documents.segments import Segment
from frameloom.common.pipelines import Item, MediaInfo, Progress
from frameloom.worker.ahead import Ahead
from frameloom.worker.frames.base import Delivery, FrameRequest, open_shared
from frameloom.worker.media.hearing import probe_sound
from frameloom.worker.media.probe import probe
from frameloom.worker.media.spans import Span, frame_span, sound_span
from frameloom.worker.pipelines.base import FramePipeline, Pipeline, SoundPipeline
from frameloom.worker.pipelines.parts import Part, RunSummary
from frameloom.worker.pipelines.pieces import open_pieces
from frameloom.worker.sound.base import SoundBlock, SoundRequest, open_sound
from frameloom.worker.sound.sharing import deal, shared_request

Emit = Callable[[Sequence[Item], float, float], None]
"""Takes rows and the range of media time, in seconds, in which they became certain."""

_SOUND_AHEAD_BYTES = 8 * 1024 * 1024


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
    """Runs one pipeline to the end of the file.

    Args:
        pipeline: A fresh object.
        path: The media file.
        emit: Called with rows as they come, never with none. Ranges follow each other without overlap.
        progress: Called at every stage and after every batch; the caller may thin it out.
        backend: Frame decoder, or ``auto``.
        video_id: What the rows call the video; by default the stem of the file name.
        threads: Decoding threads; see ``open_shared``.

    Returns:
        The summary.

    Raises:
        TaskError: The file or the configuration is at fault, or a model can not be had.
    """
    alone = _Alone(emit, progress)
    run_together([Part(pipeline, alone)], path, backend=backend, video_id=video_id, threads=threads)
    if alone.error is not None:
        raise alone.error
    assert alone.summary is not None
    return alone.summary


def run_together(
    parts: Sequence[Part],
    path: str | Path,
    *,
    backend: str = "auto",
    video_id: str | None = None,
    threads: int | None = None,
    segment: Segment | None = None,
) -> None:
    """Runs pipelines over one file with one decode. Each tells its own listener how it ended.

    Args:
        parts: The pipelines; none may have been used before.
        path: The media file.
        backend: Frame decoder, or ``auto``.
        video_id: What the rows call the video; by default the stem of the file name.
        threads: Decoding threads; see ``open_shared``.
        segment: The part of the file to go through; None: all of it.
    """
    path = Path(path)
    name = video_id if video_id is not None else path.stem
    for part in parts:
        part.tell("probing")
    seeing, seen = _begun([part for part in parts if part.sees], lambda: _probed(path, segment), name)
    listeners = [part for part in parts if not part.sees]
    heard = sound_span(segment) if segment else None
    hearing, _ = _begun(listeners, lambda: (probe_sound(path), heard), name)
    passes: list[Callable[[], None]] = []
    if seen is not None and seen.empty:
        passes.append(partial(_together, seeing, _nothing))
    elif looking := [(part, request) for part in seeing if (request := part.attempt(_frames, part))]:
        passes.append(partial(_together, seeing, partial(_look, looking, path, backend, threads, seen)))
    for listening in _by_rate(hearing):
        group = [part for part, _ in listening]
        passes.append(partial(_together, group, partial(_listen, listening, path, heard)))
    _side_by_side(passes)


def stitch(part: Part, folder: str | Path, video_id: str) -> None:
    """Joins the segments whose rows lie in a folder; see :mod:`frameloom.worker.pipelines.pieces`.

    Args:
        part: The pipeline, fresh, and who hears of it.
        folder: One folder per segment.
        video_id: What the rows call the video.
    """
    part.tell("stitching")
    if pieces := part.attempt(open_pieces, Path(folder)):
        part.attempt(part.stitch, pieces, video_id)


def _probed(path: Path, segment: Segment | None) -> tuple[MediaInfo, Span | None]:
    media = probe(path)
    return media, frame_span(path, segment) if segment else None


def _begun(
    parts: Sequence[Part], probing: Callable[[], tuple[MediaInfo, Span | None]], name: str
) -> tuple[list[Part], Span | None]:
    """The parts that are ready to be given frames or sound, and the span of these."""
    if not parts:
        return [], None
    try:
        media, span = probing()
    except Exception as error:  # noqa: BLE001 - each part tells it
        for part in parts:
            part.fail(error)
        return [], None
    for part in parts:
        part.tell("loading")
        part.attempt(part.begin, media, name, span)
    return [part for part in parts if part.active], span


def _by_rate(parts: Sequence[Part]) -> list[list[tuple[Part, SoundRequest]]]:
    """Parts that can share one decode of the sound, with what they want."""
    groups: dict[int, list[tuple[Part, SoundRequest]]] = {}
    for part in parts:
        if request := part.attempt(_sound, part):
            groups.setdefault(request.rate_hz, []).append((part, request))
    return list(groups.values())


def _side_by_side(passes: Sequence[Callable[[], None]]) -> None:
    """The last one in this thread, the others beside it. Raises what ends the process, nothing else."""
    ends: list[BaseException] = []

    def beside(one: Callable[[], None]) -> None:
        try:
            one()
        except BaseException as error:  # noqa: BLE001 - as in the main thread, an exit must not be lost
            ends.append(error)

    threads = [threading.Thread(target=beside, args=(one,), name="pass", daemon=True) for one in passes[:-1]]
    for thread in threads:
        thread.start()
    for last in passes[-1:]:
        last()
    for thread in threads:
        thread.join()
    for end in ends:
        raise end


def _together(parts: Sequence[Part], going_through: Callable[[], tuple[str, int]]) -> None:
    """Goes through the file and ends all parts: what stops the decoder stops each of them."""
    try:
        decoder, decoded = going_through()
    except Exception as error:  # noqa: BLE001 - each part tells it
        for part in parts:
            part.fail(error)
        return
    for part in parts:
        part.attempt(part.finish, decoder, decoded)


def _nothing() -> tuple[str, int]:
    """The segment has no frame of its own."""
    return "", 0


def _look(
    parts: Sequence[tuple[Part, FrameRequest]],
    path: Path,
    backend: str,
    threads: int | None,
    span: Span | None,
) -> tuple[str, int]:
    """Goes through the frames; answers the decoder, and how many frames it delivered."""
    media = parts[0][0].media
    requests = [request for _, request in parts]
    with (
        open_shared(path, requests, media=media, backend=backend, threads=threads, span=span) as source,
        Ahead(source, _bytes_of) as ahead,
    ):
        for delivery in ahead:
            for place in delivery.places:
                part = parts[place][0]
                part.attempt(part.look, delivery.batch)
            if not any(part.active for part, _ in parts):
                break
    return source.backend, source.frames_decoded


def _listen(parts: Sequence[tuple[Part, SoundRequest]], path: Path, span: Span | None) -> tuple[str, int]:
    """Goes through the sound; answers the decoder."""
    requests = [request for _, request in parts]
    wanted = shared_request(requests)
    first = span.heard_from(wanted.rate_hz) if span else 0
    with (
        open_sound(path, wanted, span) as source,
        Ahead(deal(source, requests, first), _samples_of, limit_bytes=_SOUND_AHEAD_BYTES) as ahead,
    ):
        for place, block in ahead:
            part = parts[place][0]
            part.attempt(part.listen, block)
            if not any(part.active for part, _ in parts):
                break
    return source.backend, 0


def _frames(part: Part) -> FrameRequest:
    assert isinstance(part.pipeline, FramePipeline)
    return part.pipeline.request(part.media)


def _sound(part: Part) -> SoundRequest:
    assert isinstance(part.pipeline, SoundPipeline)
    return part.pipeline.request(part.media)


def _bytes_of(delivery: Delivery) -> int:
    return delivery.batch.pixels.nbytes


def _samples_of(dealt: tuple[int, SoundBlock]) -> int:
    return dealt[1].samples.nbytes


class _Alone:
    """The listener of a run of one."""

    def __init__(self, emit: Emit, progress: Callable[[Progress], None]) -> None:
        self.emit = emit
        self.progress = progress
        self.summary: RunSummary | None = None
        self.error: Exception | None = None

    def done(self, summary: RunSummary) -> None:
        self.summary = summary

    def failed(self, error: Exception) -> None:
        self.error = error

    def wanted(self) -> bool:
        return True
