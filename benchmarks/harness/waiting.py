"""A pipeline that waits, as one does whose network runs on a GPU: the time goes by without the processor."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence

from pydantic import Field

from frameloom.common.pipelines import ArtefactSpec, Item, MediaInfo, PipelineInfo, Segmentation
from frameloom.worker.frames.base import FrameBatch, FrameRequest, Sampling
from frameloom.worker.pipelines.base import FramePipeline, SegmentableConfig
from frameloom.worker.pipelines.pieces import Piece

_BATCH = 20


class WaitingConfig(SegmentableConfig):
    """How long it waits."""

    frame_seconds: float = Field(0.01, ge=0, description="For each frame.")


class Waiting(FramePipeline):
    """One row per frame, after a while."""

    info = PipelineInfo(
        name="waiting", version="1", display_name="Waiting", description="Waits as for a GPU (benchmark)."
    )
    Config = WaitingConfig
    segmentation = Segmentation(seconds=60, overlap_seconds=1, above_seconds=60)

    def request(self, media: MediaInfo) -> FrameRequest:  # noqa: ARG002 - the same for all media
        """Every frame."""
        return FrameRequest(Sampling.every_frame(), size=(32, 18), batch_size=_BATCH)

    def process(self, batch: FrameBatch) -> Iterable[Item]:
        """A row per frame."""
        assert isinstance(self.config, WaitingConfig)
        time.sleep(self.config.frame_seconds * len(batch))
        return [Item(list="frames", row={"frame": int(number)}) for number in batch.frame_numbers]

    def stitch(self, pieces: Sequence[Piece]) -> Iterator[Item]:
        """Each frame from the segment in which it lies."""
        for piece, after in zip(pieces, [*pieces[1:], None], strict=True):
            for item in piece.items("frames"):
                if after is None or item.row["frame"] < after.span.first_frame:
                    yield item

    def artefacts(self) -> tuple[ArtefactSpec, ...]:
        """One file."""
        return (ArtefactSpec(suffix="_waiting.json", format="JSON", lists=("frames",), counted="frames"),)
