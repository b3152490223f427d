"""One pipeline's part in a run that it may share with others: what it was given, and how it ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import ParamSpec, Protocol, TypeVar

from frameloom.common.documents.task import FailureCategory
from frameloom.common.pipelines import ArtefactSpec, Item, MediaInfo, Progress
from frameloom.worker.errors import TaskError
from frameloom.worker.frames.base import FrameBatch
from frameloom.worker.media.spans import Span
from frameloom.worker.pipelines.base import FramePipeline, Pipeline, SoundPipeline
from frameloom.worker.pipelines.pieces import Piece, about
from frameloom.worker.sound.base import SoundBlock

_NEARLY_DONE = 0.99
_STITCHED_AT_ONCE = 256
_P = ParamSpec("_P")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What a finished run tells.

    Attributes:
        frames: Frames that the pipeline looked at; 0 if it listened.
        frames_decoded: Frames that the decoder delivered, for it and for those it shared them with.
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


class Listener(Protocol):
    """Who wants to know what a pipeline finds, and how it ends. Called from one thread at a time."""

    def emit(self, items: Sequence[Item], start: float, end: float) -> None:
        """Takes rows, never none, and the range of media seconds in which they became certain.

        Ranges follow each other without overlap.
        """

    def progress(self, progress: Progress) -> None:
        """Takes how far it is, at every stage and after every batch; may thin it out."""

    def done(self, summary: RunSummary) -> None:
        """It ran to the end of the file."""

    def failed(self, error: Exception) -> None:
        """It could not go on; the pipelines beside it do."""

    def wanted(self) -> bool:
        """Asked before every batch. False: it stops, and neither ``done`` nor ``failed`` is called."""


class Part:
    """A pipeline and its listener. Whatever a pipeline raises ends its own part only.

    Attributes:
        pipeline: A fresh object.
        frames: Frames that it looked at.
    """

    def __init__(self, pipeline: Pipeline, listener: Listener) -> None:
        self.pipeline = pipeline
        self.frames = 0
        self._listener = listener
        self._media: MediaInfo | None = None
        self._span: Span | None = None
        self._reached = 0.0
        self._given = False
        self._over = False

    @property
    def sees(self) -> bool:
        """Whether it looks at pictures, rather than listens."""
        if isinstance(self.pipeline, FramePipeline | SoundPipeline):
            return isinstance(self.pipeline, FramePipeline)
        raise TypeError(f"{type(self.pipeline).__name__} is neither a FramePipeline nor a SoundPipeline")

    @property
    def active(self) -> bool:
        """Whether it still works."""
        if not self._over and not self._listener.wanted():
            self._over = True
        return not self._over

    def tell(self, stage: str) -> None:
        """Says what is being done before there are frames."""
        if self.active:
            self._listener.progress(Progress(stage=stage, fraction=0.0))

    @property
    def media(self) -> MediaInfo:
        """What probing found; known once it has begun."""
        assert self._media is not None
        return self._media

    def begin(self, media: MediaInfo, video_id: str, span: Span | None = None) -> None:
        """Loads the models, and prepares for this file, or for this part of it."""
        self._media, self._span = media, span
        self._reached = span.begin if span else 0.0
        self.pipeline.video_id, self.pipeline.span = video_id, span
        self.pipeline.load()
        self.pipeline.begin(media)

    def attempt(self, action: Callable[_P, _T], *args: _P.args, **more: _P.kwargs) -> _T | None:
        """Does something of the pipeline's; an error ends its part. None: it failed, or had ended before."""
        if not self.active:
            return None
        try:
            return action(*args, **more)
        except Exception as error:  # noqa: BLE001 - a pipeline may raise anything, and others go on
            self.fail(error)
            return None

    def fail(self, error: Exception) -> None:
        """Ends it with an error, if it has not ended."""
        if self.active:
            self._over = True
            self._listener.failed(error)

    def look(self, batch: FrameBatch) -> None:
        """Lets it look at its next frames."""
        assert isinstance(self.pipeline, FramePipeline)
        self._advance(self.pipeline.process(batch), float(batch.timestamps[-1]), frames=len(batch))

    def listen(self, block: SoundBlock) -> None:
        """Lets it hear its next sound."""
        assert isinstance(self.pipeline, SoundPipeline)
        self._advance(self.pipeline.process(block), block.end_seconds)

    def _advance(self, rows: Iterable[Item], reached: float, *, frames: int = 0) -> None:
        """Hands on the rows that became certain up to a time, in seconds."""
        self._given = True
        begin, self._reached = self._reached, reached
        self._hand_over(rows, begin, reached)
        self.frames += frames
        length = self.media.duration_seconds
        share = reached / length if length > 0 else 0.0
        if self._span is not None:
            share = self._span.share(reached, length)
        self._tell("annotating", min(max(share, 0.0), _NEARLY_DONE))

    def finish(self, decoder: str, decoded: int) -> None:
        """The file is at its end: the rows that waited for it, and the summary.

        Args:
            decoder: Name and version.
            decoded: Frames that it delivered.

        Raises:
            TaskError: There was no frame to look at.
        """
        if self._span is not None:
            self._end_of_segment(self._span, decoder, decoded)
            return
        if self.sees and not self.frames:
            raise TaskError(FailureCategory.DECODE_ERROR, "No picture of the video can be decoded.")
        self._tell("finishing", _NEARLY_DONE)
        media = self.media
        self._hand_over(self.pipeline.finish(), self._reached, max(media.duration_seconds, self._reached))
        self._done(decoder, decoded, self.pipeline.artefacts())

    def _end_of_segment(self, span: Span, decoder: str, decoded: int) -> None:
        """One that began nowhere has nothing to say but that; files are made of all segments together."""
        end = max(self._reached, span.begin)
        if self._given:
            self._hand_over(self.pipeline.finish(), self._reached, end)
        self._hand_over([about(span, self.media, decoder, self.frames)], end, end)
        self._done(decoder, decoded, ())

    def stitch(self, pieces: Sequence[Piece], video_id: str) -> None:
        """Joins segments in place of looking or listening."""
        self._media = pieces[0].media
        self.pipeline.video_id = video_id
        self.pipeline.load()
        self.pipeline.begin(self._media)
        self._tell("stitching", 0.0)
        length = self._media.duration_seconds
        held: list[Item] = []
        for item in self.pipeline.stitch(pieces):
            held.append(item)
            if len(held) == _STITCHED_AT_ONCE:
                if not self.active:
                    return
                self._hand_over(held, 0.0, length)
                held = []
        self._hand_over(held, 0.0, length)
        self._reached = length
        self.frames = sum(piece.frames for piece in pieces)
        decoders = dict.fromkeys(piece.decoder for piece in pieces if piece.decoder)
        self._done(", ".join(decoders), 0, self.pipeline.artefacts())

    def _done(self, decoder: str, decoded: int, artefacts: tuple[ArtefactSpec, ...]) -> None:
        media = self.media
        summary = RunSummary(
            frames=self.frames,
            frames_decoded=decoded,
            media_seconds=media.duration_seconds,
            media=media,
            backend=decoder,
            artefacts=artefacts,
            models=self.pipeline.models_used(),
        )
        self._over = True
        self._listener.done(summary)

    def _tell(self, stage: str, fraction: float) -> None:
        self._listener.progress(
            Progress(
                stage=stage,
                fraction=fraction,
                frames_done=self.frames,
                media_seconds_done=self._reached - (self._span.begin if self._span else 0.0),
            )
        )

    def _hand_over(self, rows: Iterable[Item], begin: float, end: float) -> None:
        items = list(rows)
        if items:
            self._listener.emit(items, begin, end)
