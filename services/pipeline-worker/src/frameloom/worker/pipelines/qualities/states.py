"""States that a video is in for a while: black, frozen, blurred, too dark, too bright."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from frameloom.worker.pipelines.qualities.measures import Sample

BLACK, FROZEN, BLURRED, DARK, BRIGHT = "black", "frozen", "blurred", "underexposed", "overexposed"
_FLAT_CONTRAST = 5.0
"""With less there is nothing in the picture that could be sharp."""


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on a picture counts for a state.

    Attributes:
        black_share: Black: at least this share of its pixels is.
        freeze_change: Frozen: no spot differs from the one before by this much or more, in grey levels.
        blur_sharpness: Blurred: its sharpness is below.
        clipped_share: Under- and overexposed: at least this share of its pixels has no shade left.
    """

    black_share: float = 0.98
    freeze_change: float = 6.0
    blur_sharpness: float = 40.0
    clipped_share: float = 0.5

    def states(self, sample: Sample) -> tuple[str, ...]:
        """What a picture counts for. A black one is neither blurred nor underexposed, only black."""
        if sample.black >= self.black_share:
            return (BLACK, FROZEN) if self._still(sample) else (BLACK,)
        found = [FROZEN] if self._still(sample) else []
        if sample.sharpness < self.blur_sharpness and sample.contrast >= _FLAT_CONTRAST:
            found.append(BLURRED)
        if sample.dark >= self.clipped_share:
            found.append(DARK)
        if sample.bright >= self.clipped_share:
            found.append(BRIGHT)
        return tuple(found)

    def _still(self, sample: Sample) -> bool:
        return sample.change is not None and sample.change < self.freeze_change


@dataclass(frozen=True, slots=True)
class Finding:
    """A stretch of the video in one state, in seconds."""

    kind: str
    start: float
    end: float


class Findings:
    """Joins samples of one state to stretches.

    Args:
        least_seconds: Shorter ones are left out.
    """

    def __init__(self, least_seconds: float) -> None:
        self._least = least_seconds
        self._since: dict[str, float] = {}
        self._before: float | None = None

    def see(self, time: float, states: tuple[str, ...]) -> Iterator[Finding]:
        """The next sample; gives what ended with it, in order of its start."""
        yield from self._ended([kind for kind in self._since if kind not in states], time)
        for kind in states:
            # A frozen picture is known by its second showing: it has stood since the first.
            began = self._before if kind == FROZEN and self._before is not None else time
            self._since.setdefault(kind, began)
        self._before = time

    def finish(self, end: float) -> Iterator[Finding]:
        """What lasts until the end of the video."""
        yield from self._ended(list(self._since), end)

    def _ended(self, kinds: list[str], time: float) -> Iterator[Finding]:
        found = [Finding(kind, self._since.pop(kind), time) for kind in kinds]
        yield from sorted(
            (one for one in found if one.end - one.start >= self._least),
            key=lambda one: (one.start, one.kind),
        )
