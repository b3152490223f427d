"""Changes that segments have found, joined. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from frameloom.common.pipelines import MediaInfo
from frameloom.worker.media.spans import Span
from frameloom.worker.pipelines.scenes.base import Cut


def joined(found: Sequence[tuple[Span, Sequence[Cut]]]) -> Iterator[Cut]:
    """The changes of the whole, in order.

    Two neighbours have both seen the overlap. The one before is believed in its first half, the one after in
    its second: the first frame of a segment has none before it, and a network wants context on both sides.

    Args:
        found: The segments that saw anything, in order, each with its changes in order.
    """
    for place, (span, cuts) in enumerate(found):
        begin = span.begin + span.overlap / 2 if place else float("-inf")
        end = float("inf")
        if place + 1 < len(found):
            after = found[place + 1][0]
            end = after.begin + after.overlap / 2
        yield from (cut for cut in cuts if begin <= cut.timestamp < end)


def spaced(
    changes: Iterable[Cut],
    first: Cut,
    last: Cut,  # noqa: ARG001 - the signature of such rules
    media: MediaInfo,  # noqa: ARG001
    min_scene_seconds: float,
) -> Iterator[Cut]:
    """Those of all changes that are cuts of scenes of this length, where the first that can be is taken.

    Arguments as of ``content.lasting``, the rule of the content detector.
    """
    before = first.timestamp
    for change in changes:
        if change.timestamp - before >= min_scene_seconds:
            before = change.timestamp
            yield change
