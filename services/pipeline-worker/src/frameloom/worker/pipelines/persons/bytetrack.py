"""Follows boxes from frame to frame: ByteTrack, own implementation.

After Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every Detection Box", ECCV 2022.

Each frame, tracks take boxes of high score first, and those left over may take one of low score, which
alone would found no track. What is new here is time: prediction, patience and the room in which a box is
looked for are in seconds, so that low frame rates work. The room is buffered as in Yang et al., "Hard to
Track Objects with Irregular Motions and Similar Appearances?", WACV 2023.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from frameloom.worker.pipelines.persons.motion import Motion, Numbers

_FIRST_MATCH = 0.2
_SECOND_MATCH = 0.5
_TENTATIVE_MATCH = 0.3
_ROOM = 0.4
"""How far beyond its predicted place a box is looked for, in heights per second since it was seen."""
_ROOM_MOST = 0.5
_SPARSE_SECONDS = 1.5
"""From this interval on a person may be seen in one frame only: no second one is waited for."""


@dataclass(slots=True, eq=False)
class Track:
    """One followed person.

    Attributes:
        number: From 1, never used twice.
        confirmed: Seen twice, or present at the very beginning.
        seen: Time of its last box, in seconds.
        lost: It had no box in the last frame.
        ended: It will not come back.
    """

    number: int
    confirmed: bool
    seen: float
    lost: bool = False
    ended: bool = False


class ByteTracker:
    """The tracks of one video."""

    def __init__(self, high_score: float, lost_seconds: float, start_score: float = 0.0) -> None:
        """Prepares the state.

        Args:
            high_score: From which on a box is matched first.
            lost_seconds: How long a track waits for its person to come back.
            start_score: From which on a box may found a track, if it is the higher one.
        """
        self._high = high_score
        self._start = max(high_score, start_score)
        self._patience = lost_seconds
        self._tracks: list[Track] = []
        self._motion = Motion.empty()
        self._time: float | None = None
        self._count = 0

    def update(self, boxes: Numbers, scores: Numbers, timestamp: float) -> list[Track | None]:
        """Takes the boxes of the next frame.

        Args:
            boxes: ``[N, 4]`` left, top, right, bottom, in units in which both axes are alike.
            scores: ``[N]``.
            timestamp: Seconds; never falling.

        Returns:
            The track of each box, or None; no track twice.
        """
        first = self._time is None
        interval = 0.0 if self._time is None else max(0.0, timestamp - self._time)
        self._time = timestamp
        self._motion.predict(interval)
        self._give_up(timestamp, max(self._patience, 2.5 * interval))
        given = self._associate(boxes, scores, timestamp)
        self._miss(given)
        sure = first or interval >= _SPARSE_SECONDS
        fresh = _left(given, scores >= self._start)
        self._found(boxes, fresh, given, timestamp, confirmed=sure)
        return given

    def end(self, track: Track) -> None:
        """Gives a track up, because its person goes on as another one."""
        track.ended = True
        self._forget_ended()

    def _associate(self, boxes: Numbers, scores: Numbers, timestamp: float) -> list[Track | None]:
        given: list[Track | None] = [None] * len(scores)
        ages = np.array([timestamp - track.seen for track in self._tracks])
        alike = similarities(self._motion.corners(), boxes, ages)
        states = [(track.confirmed, track.lost) for track in self._tracks]
        known = np.array([confirmed for confirmed, _ in states], bool)
        present = np.array([confirmed and not lost for confirmed, lost in states], bool)
        high = scores >= self._high
        free = np.ones(len(self._tracks), bool)
        self._match(alike * scores, known, high, _FIRST_MATCH, given, free)
        self._match(alike, present & free, ~high, _SECOND_MATCH, given, free)
        self._match(alike * scores, ~known, high, _TENTATIVE_MATCH, given, free)
        pairs = [(self._tracks.index(track), i) for i, track in enumerate(given) if track is not None]
        if pairs:
            places, taken = (np.array(side, np.int64) for side in zip(*pairs, strict=True))
            self._motion.update(places, boxes[taken])
        for place, _ in pairs:
            track = self._tracks[place]
            track.seen, track.lost, track.confirmed = timestamp, False, True
        return given

    def _match(
        self,
        alike: Numbers,
        rows: npt.NDArray[np.bool_],
        columns: npt.NDArray[np.bool_],
        least: float,
        given: list[Track | None],
        free: npt.NDArray[np.bool_],
    ) -> None:
        """The best pairing of these tracks with these boxes, if they are free yet."""
        from scipy.optimize import linear_sum_assignment  # noqa: PLC0415 - slow to import

        places = np.flatnonzero(rows & free)
        untaken = np.array([track is None for track in given], bool)
        boxes = np.flatnonzero(columns & untaken)
        if not len(places) or not len(boxes):
            return
        part = alike[np.ix_(places, boxes)]
        # What may not be paired weighs nothing, so that it pushes no good pair aside.
        weights = np.where(part >= least, part, 0.0)
        for row, column in zip(*linear_sum_assignment(weights, maximize=True), strict=True):
            if weights[row, column] > 0:
                given[boxes[column]] = self._tracks[places[row]]
                free[places[row]] = False

    def _give_up(self, timestamp: float, patience: float) -> None:
        """Ends the tracks that have waited for too long."""
        for track in self._tracks:
            track.ended = timestamp - track.seen > patience
        self._forget_ended()

    def _miss(self, given: list[Track | None]) -> None:
        """Tracks without a box are lost; those seen only once were none."""
        seen = {track.number for track in given if track is not None}
        for track in self._tracks:
            if track.number not in seen:
                track.lost = True
                track.ended = not track.confirmed
        self._forget_ended()

    def _forget_ended(self) -> None:
        kept = [i for i, track in enumerate(self._tracks) if not track.ended]
        if len(kept) < len(self._tracks):
            self._tracks = [self._tracks[i] for i in kept]
            self._motion.keep(np.array(kept, np.int64))

    def _found(
        self,
        boxes: Numbers,
        fresh: list[int],
        given: list[Track | None],
        timestamp: float,
        *,
        confirmed: bool,
    ) -> None:
        if not fresh:
            return
        for i in fresh:
            self._count += 1
            track = Track(self._count, confirmed, timestamp)
            self._tracks.append(track)
            given[i] = track
        self._motion.add(boxes[fresh])


def _left(given: list[Track | None], wanted: npt.NDArray[np.bool_]) -> list[int]:
    return [i for i, track in enumerate(given) if track is None and wanted[i]]


def similarities(predicted: Numbers, boxes: Numbers, ages: Numbers) -> Numbers:
    """Overlap of each predicted box with each new one, both widened by the time since it was seen."""
    if not len(predicted) or not len(boxes):
        return np.zeros((len(predicted), len(boxes)))
    room = np.minimum(_ROOM * ages, _ROOM_MOST)[:, None]
    a = _widened(predicted, room)[:, None]
    b = _widened(boxes[None], room[:, :, None])
    size = np.maximum(np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]), 0)
    common = size[..., 0] * size[..., 1]
    alike: Numbers = common / np.maximum(_area(a) + _area(b) - common, 1e-12)
    return alike


def _widened(corners: Numbers, share: Numbers) -> Numbers:
    margin = share * (corners[..., 3:4] - corners[..., 1:2])
    return np.concatenate([corners[..., :2] - margin, corners[..., 2:] + margin], axis=-1)


def _area(corners: Numbers) -> Numbers:
    return (corners[..., 2] - corners[..., 0]) * (corners[..., 3] - corners[..., 1])
