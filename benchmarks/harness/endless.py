"""Pipelines that never end by themselves; each writes its process id when it is at work."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from pathlib import Path

from frameloom.common.pipelines import ArtefactSpec, Item, MediaInfo, PipelineInfo
from frameloom.worker.frames.base import FrameBatch, FrameRequest, Sampling
from frameloom.worker.pipelines.base import FramePipeline, PipelineConfig

_LONG_SECONDS = 3600


class AtWork(PipelineConfig):
    """Where it says that it is at work."""

    file: str = ""


class Busy(FramePipeline):
    """Computes in Python."""

    info = PipelineInfo(name="busy", version="1", display_name="Busy", description="Never ends (benchmark).")
    Config = AtWork

    def request(self, media: MediaInfo) -> FrameRequest:  # noqa: ARG002 - the same for all media
        """Every frame."""
        return FrameRequest(Sampling.every_frame(), batch_size=1)

    def process(self, batch: FrameBatch) -> Iterable[Item]:
        """One row, then nothing for ever."""
        yield Item(list="annotations", row={"frame": int(batch.frame_numbers[0])})
        _tell(self.config)
        while True:
            sum(range(1000))

    def artefacts(self) -> tuple[ArtefactSpec, ...]:
        """One file that is never written."""
        return (ArtefactSpec(suffix="_busy.json", lists=("annotations",)),)


class Stuck(Busy):
    """Hangs in native code that does not give the interpreter back."""

    info = PipelineInfo(
        name="stuck", version="1", display_name="Stuck", description="Hangs in native code (benchmark)."
    )

    def process(self, batch: FrameBatch) -> Iterable[Item]:  # noqa: ARG002 - it looks at nothing
        """Nothing, for an hour."""
        _tell(self.config)
        ctypes.PyDLL(None).sleep(_LONG_SECONDS)
        return ()


def _tell(config: PipelineConfig) -> None:
    assert isinstance(config, AtWork)
    file = Path(config.file)
    part = file.with_suffix(".part")
    part.write_text(str(os.getpid()))
    part.rename(file)
