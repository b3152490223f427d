"""Runs a pipeline over a file in segments, as workers do: each for itself, then the stitch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from frameloom.common import rows
from frameloom.common.documents import MediaFacts, Segment
from frameloom.common.machines import segments
from frameloom.common.pipelines import Item, Progress, Segmentation
from frameloom.worker.pipelines import Pipeline
from frameloom.worker.pipelines.parts import Part, RunSummary
from frameloom.worker.pipelines.pieces import folder_of
from frameloom.worker.pipelines.runner import run_together, stitch

Lists = dict[str, list[dict[str, object]]]


class Hearer:
    """Keeps what a pipeline tells."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.fractions: list[float] = []
        self.summary: RunSummary | None = None

    def emit(self, items: Sequence[Item], start: float, end: float) -> None:
        assert items
        assert start <= end
        self.items.extend(items)

    def progress(self, progress: Progress) -> None:
        self.fractions.append(progress.fraction)

    def done(self, summary: RunSummary) -> None:
        self.summary = summary

    def failed(self, error: Exception) -> None:
        raise error

    def wanted(self) -> bool:
        return True

    @property
    def lists(self) -> Lists:
        found: Lists = {}
        for item in self.items:
            found.setdefault(item.list, []).append(item.row)
        return found


def cut(seconds: float, count: int, overlap: float) -> tuple[Segment, ...]:
    facts = MediaFacts(container="mov,mp4", duration_seconds=seconds)
    wanted = Segmentation(seconds=seconds / count, overlap_seconds=overlap, above_seconds=0)
    found = segments.cut(facts, wanted, {}, segments.Limits())
    assert len(found) == count
    return found


def whole(make: Callable[[], Pipeline], path: Path) -> Hearer:
    heard = Hearer()
    run_together([Part(make(), heard)], path, video_id="clip")
    return heard


def segmented(
    make: Callable[[], Pipeline], path: Path, parts: Sequence[Segment], folder: Path, rows_per_chunk: int = 50
) -> Hearer:
    for segment in parts:
        heard = Hearer()
        run_together([Part(make(), heard)], path, video_id="clip", segment=segment)
        assert heard.summary is not None
        assert heard.summary.artefacts == ()
        into = folder_of(folder, segment.index)
        into.mkdir(parents=True)
        for number, begin in enumerate(range(0, len(heard.items), rows_per_chunk)):
            packed = rows.pack(heard.items[begin : begin + rows_per_chunk])
            (into / f"{number:08d}.jsonl.gz").write_bytes(packed)
    joined = Hearer()
    stitch(Part(make(), joined), folder, "clip")
    assert joined.summary is not None
    return joined
