"""Pipelines for the tests: one that waits at a gate, one stuck, one crashing, and two with a file of both."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from frameloom.common.pipelines import ArtefactSpec, Item, MediaInfo, PipelineInfo, Segmentation
from frameloom.worker.frames.base import FrameBatch, FrameRequest, Sampling
from frameloom.worker.pipelines.base import FramePipeline, PipelineConfig
from frameloom.worker.pipelines.pieces import Piece

_LOOK_SECONDS = 0.01


class GateConfig(PipelineConfig):
    """Where the gate is."""

    gate: str = ""
    """A file; the first frame waits until it exists. The waiting process writes its pid beside it."""
    rows_per_frame: int = 1


class Gated(FramePipeline):
    """Waits at a gate in the middle of its work, so that a test decides how long it takes."""

    info = PipelineInfo(
        name="gated", version="1", display_name="Gated", description="Waits at a gate (for tests)."
    )
    Config = GateConfig

    def request(self, media: MediaInfo) -> FrameRequest:
        return FrameRequest(Sampling.every_frame(), batch_size=1)

    def process(self, batch: FrameBatch) -> Iterable[Item]:
        assert isinstance(self.config, GateConfig)
        for number in batch.frame_numbers:
            for row in range(self.config.rows_per_frame):
                yield Item(list="annotations", row={"frame_number": int(number), "row": row})
        if self.config.gate:
            _wait(Path(self.config.gate))

    def artefacts(self) -> tuple[ArtefactSpec, ...]:
        return (ArtefactSpec(suffix="_gated.json", lists=("annotations",)),)


class Bodies(FramePipeline):
    """One body a frame, and who it is at the end."""

    info = PipelineInfo(
        name="bodies", version="1", display_name="Bodies", description="Rows like persons' (for tests)."
    )
    Config = PipelineConfig

    def request(self, media: MediaInfo) -> FrameRequest:
        return FrameRequest(Sampling.every_frame(), batch_size=4)

    def process(self, batch: FrameBatch) -> Iterable[Item]:
        for time_ in batch.timestamps:
            row = {
                "person_id": "p1",
                "track_id": 1,
                "bbox": [0.0, 0.0, 80.0, 120.0],
                "timestamp": float(time_),
            }
            yield Item(list="annotations", row=row)

    def finish(self) -> Iterable[Item]:
        yield Item(list="person_tracks", row={"person_id": "p1", "track_id": 1, "label": "parent"})

    def artefacts(self) -> tuple[ArtefactSpec, ...]:
        return (ArtefactSpec(suffix="_bodies.json", lists=("annotations",)),)


class Heads(FramePipeline):
    """One head a frame, on that body."""

    info = PipelineInfo(
        name="heads", version="1", display_name="Heads", description="Rows like faces' (for tests)."
    )
    Config = PipelineConfig

    def request(self, media: MediaInfo) -> FrameRequest:
        return FrameRequest(Sampling.per_second(5), batch_size=4)

    def process(self, batch: FrameBatch) -> Iterable[Item]:
        for time_ in batch.timestamps:
            row = {"face_id": 0, "bbox": [30.0, 4.0, 20.0, 24.0], "timestamp": float(time_)}
            yield Item(list="annotations", row=row)

    def artefacts(self) -> tuple[ArtefactSpec, ...]:
        alone = ArtefactSpec(suffix="_heads.json", lists=("annotations",))
        return alone, ArtefactSpec(suffix="_heads_of_bodies.json", writer="face_links", joins="bodies")


class InSegments(Gated):
    """The same, of two seconds each."""

    info = Gated.info.model_copy(update={"name": "in_segments"})
    segmentation = Segmentation(seconds=2, overlap_seconds=0.3, above_seconds=3)

    def stitch(self, pieces: Sequence[Piece]) -> Iterator[Item]:
        for piece in pieces:
            own = piece.frames if piece.span.end is None else None
            first = piece.span.first_frame
            end = next((after.span.first_frame for after in pieces[piece.span.index + 1 :]), None)
            for item in piece.items("annotations"):
                if own is not None or end is None or first <= item.row["frame_number"] < end:
                    yield item


class Crashing(FramePipeline):
    """Dies of a signal, as native code does."""

    info = PipelineInfo(
        name="crashing", version="1", display_name="Crashing", description="Dies of SIGSEGV (for tests)."
    )
    Config = PipelineConfig

    def request(self, media: MediaInfo) -> FrameRequest:
        return FrameRequest(Sampling.every_frame(), batch_size=1)

    def process(self, batch: FrameBatch) -> Iterable[Item]:
        os.kill(os.getpid(), signal.SIGSEGV)
        return ()

    def artefacts(self) -> tuple[ArtefactSpec, ...]:
        return ()


class Stuck(FramePipeline):
    """Hangs in native code that does not give the interpreter back: nothing in the process can end it."""

    info = PipelineInfo(
        name="stuck", version="1", display_name="Stuck", description="Hangs in native code (for tests)."
    )
    Config = GateConfig

    def request(self, media: MediaInfo) -> FrameRequest:
        return FrameRequest(Sampling.every_frame(), batch_size=1)

    def process(self, batch: FrameBatch) -> Iterable[Item]:
        assert isinstance(self.config, GateConfig)
        _come(Path(self.config.gate))
        ctypes.PyDLL(None).sleep(600)
        return ()

    def artefacts(self) -> tuple[ArtefactSpec, ...]:
        return ()


def _come(gate: Path) -> None:
    (gate.parent / f"{gate.name}.{os.getpid()}").touch()


def _wait(gate: Path) -> None:
    """Polls, because a gate must also open for a process that the test knows nothing of."""
    _come(gate)
    deadline = time.monotonic() + 120
    while not gate.exists():
        assert time.monotonic() < deadline, "the gate stayed closed"
        time.sleep(_LOOK_SECONDS)
