"""Cuts by change of content between neighbouring frames: PySceneDetect's detectors on our frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

from scenedetect.common import FrameTimecode, Timecode
from scenedetect.detector import FlashFilter
from scenedetect.detectors import AdaptiveDetector, ContentDetector

from frameloom.common.pipelines import MediaInfo
from frameloom.worker.frames.base import FrameBatch
from frameloom.worker.pipelines.scenes.base import Cut

_TICKS = 1_000_000


class _Position(FrameTimecode):  # type: ignore[misc]  # the library ships no types
    """A time that knows its frame: the detector hands back the very objects it was given."""

    def __init__(self, timestamp: float, frame: int, rate: Fraction) -> None:
        super().__init__(Timecode(round(timestamp * _TICKS), Fraction(1, _TICKS)), rate)
        self.timestamp = timestamp
        self.frame = frame


class ContentCuts:
    """A cut is where hue, saturation and brightness change by more than the threshold between two frames.

    ``adaptive``: by more than the threshold times the mean of the four frames around it, so that a camera
    that moves all the time cuts nothing. Times are passed as exact ticks, so that variable frame rates count
    right. A cut is a yes or no here, so its score is 1.
    """

    def __init__(
        self, media: MediaInfo, threshold: float, min_scene_seconds: float, *, adaptive: bool = False
    ) -> None:
        self._rate = _rate(media)
        least = float(min_scene_seconds)
        self._detector = (
            AdaptiveDetector(adaptive_threshold=threshold, min_scene_len=least)
            if adaptive
            else ContentDetector(threshold=threshold, min_scene_len=least)
        )

    def feed(self, batch: FrameBatch) -> Iterable[Cut]:
        """Cuts that became certain with these frames (BGR)."""
        for pixels, timestamp, number in zip(
            batch.pixels, batch.timestamps, batch.frame_numbers, strict=True
        ):
            position = _Position(float(timestamp), int(number), self._rate)
            yield from (
                Cut(frame=cut.frame, timestamp=cut.timestamp, score=1.0)
                for cut in self._detector.process_frame(position, pixels)
            )

    def flush(self) -> Iterable[Cut]:
        """Cuts do not depend on frames after the end."""
        return ()


def lasting(
    changes: Sequence[Cut], first: Cut, last: Cut, media: MediaInfo, min_scene_seconds: float
) -> Iterator[Cut]:
    """Those of all changes that are cuts of scenes of this length: what a detector of the whole would say.

    Args:
        changes: What a detector without a least length found, in order.
        first: The first frame of the video.
        last: The last one.
        media: What probing found.
        min_scene_seconds: Shortest scene.
    """
    rate, frame_seconds = _rate(media), 1 / media.fps
    rule = FlashFilter(FlashFilter.Mode.MERGE, float(min_scene_seconds))

    def told(cut: Cut, *, changed: bool) -> Iterator[Cut]:
        for kept in rule.filter(_Position(cut.timestamp, cut.frame, rate), changed):
            yield Cut(kept.frame, kept.timestamp, 1.0)

    yield from told(first, changed=False)
    for place, change in enumerate(changes):
        yield from told(change, changed=True)
        # Of the frames without a change only the last before the next one matters: the more time, the more is
        # certain.
        after = changes[place + 1] if place + 1 < len(changes) else None
        quiet = last.timestamp if after is None else after.timestamp - frame_seconds
        if quiet > change.timestamp + frame_seconds / 2:
            yield from told(Cut(change.frame, quiet, 1.0), changed=False)


def _rate(media: MediaInfo) -> Fraction:
    return Fraction(media.fps).limit_denominator(100_000)
