"""Which of the decoded frames are wanted: pure decisions, without a decoder."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from frameloom.worker.frames.base import Sampling

_TOLERANCE = 1e-3
"""Seconds. Matroska rounds its time stamps to milliseconds: 0.033 stands for 1/30."""

SPARSE_INTERVAL_SECONDS = 2.0
"""From this interval on it can pay to jump over groups of pictures instead of decoding them."""


class Sampler:
    """Decides frame by frame, in order of presentation, with one number of state."""

    def __init__(self, sampling: Sampling, before: float | None = None) -> None:
        """Prepares the state.

        Args:
            sampling: Which frames are wanted.
            before: Time of the frame before the first one that is asked for: who begins in the middle takes
                the same frames as who came from the start.
        """
        self._kind = sampling.kind
        self._rate = sampling.rate
        self._first = True
        self.due = 0.0
        """Time from which on the next frame is wanted, in seconds."""
        if before is not None and self._kind == "rate":
            self.due = self._after(before)

    def wants(self, timestamp: float, *, key: bool = False) -> bool:
        """Whether this frame is to be delivered; if so, the next due time is set.

        Args:
            timestamp: Of the frame, in seconds from the start of the media.
            key: It is a key frame.
        """
        if self._kind != "rate":
            wanted = self._kind == "every" or key or self._first
            self._first = False
            return wanted
        if timestamp + _TOLERANCE < self.due:
            return False
        self.due = self._after(timestamp)
        return True

    def _after(self, timestamp: float) -> float:
        """From the grid, not from the last frame: intervals must not drift."""
        return (math.floor((timestamp + _TOLERANCE) * self._rate) + 1) / self._rate


@dataclass(slots=True)
class JumpPlanner:
    """Decides when seeking ahead is cheaper than decoding on.

    It learns the distance of key frames from the packets that pass, because not every container has an
    index. A jump lands on the key frame before the wanted time; it saves work only if at least one whole
    group of pictures lies between here and there.
    """

    enabled: bool
    exact: bool = True
    """A seek lands on a key frame. Without an index it lands anywhere, and the next key frame counts."""
    margin: float = 0.5
    """Seconds before the wanted time to aim for: time stamps of an index are in decoding order."""
    _last_key: float | None = None
    _distance: float = 0.0

    @classmethod
    def for_samplings(cls, samplings: Iterable[Sampling], *, indexed: bool = True) -> JumpPlanner:
        """Enabled if all are sparse rates.

        Args:
            samplings: What is wanted.
            indexed: The container has an index of its key frames.
        """
        sparse = all(one.kind == "rate" and 1 / one.rate >= SPARSE_INTERVAL_SECONDS for one in samplings)
        return cls(enabled=sparse, exact=indexed)

    def saw_key(self, timestamp: float) -> None:
        """A key frame passed in the stream of packets."""
        if self._last_key is not None and timestamp > self._last_key:
            self._distance = max(self._distance, timestamp - self._last_key)
        self._last_key = timestamp

    def target(self, position: float, due: float) -> float | None:
        """Where to seek to, in seconds, or None to decode on.

        Args:
            position: Time of the newest packet read.
            due: Time of the next wanted frame.
        """
        aim = due - self.margin - (0.0 if self.exact else self._distance)
        if not self.enabled or not self._distance or aim - position < self._distance:
            return None
        return aim

    def landed(self, before: float, after: float) -> None:
        """Tells where a jump ended; one that went back shows that this file can not be sought well."""
        if after <= before:
            self.enabled = False
        self._last_key = after
