"""Frames decoded by DALI: chunks go in, sequences come out, and each picture meets its time again."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from frameloom.common.pipelines import MediaInfo
from frameloom.worker.frames.base import Delivery, FrameRequest
from frameloom.worker.frames.batching import Format, Subscriptions
from frameloom.worker.frames.dali.check import check_pictures
from frameloom.worker.frames.dali.chunks import Chunk, Chunks
from frameloom.worker.frames.dali.colour import correction
from frameloom.worker.frames.dali.driver import dali_version
from frameloom.worker.frames.dali.facts import VideoFacts
from frameloom.worker.frames.dali.graph import Graph, Output, usable_torch
from frameloom.worker.media.spans import Span

SEQUENCE_BYTES = 64 * 1024 * 1024
_SEQUENCE_PICTURES = 16


class DaliSource:
    """See :class:`~frameloom.worker.frames.base.SharedFrames`.

    Args:
        path: The file.
        requests: What is wanted of it.
        media: Result of ``probe``.
        facts: More of it.
        gpu: Decode on the GPU.
        threads: As the port has it.
        span: The part to show; None: all.

    Raises:
        DecoderGaveUpError: DALI can not be set up.
        TaskError: The file can not be opened.
    """

    def __init__(
        self,
        path: Path,
        requests: Sequence[FrameRequest],
        media: MediaInfo,
        facts: VideoFacts,
        *,
        gpu: bool,
        threads: int | None,
        span: Span | None = None,
    ) -> None:
        self._gpu = gpu
        self._turns = round(media.rotation_degrees / 90) % 4
        self._wanted = Subscriptions(
            requests, media, allocate=_on_gpu() if gpu else None, before=span.before if span else None
        )
        self._outputs = {
            one: _output(one, facts, turned=self._turns % 2 == 1) for one in self._wanted.formats
        }
        picture_bytes = facts.size[0] * facts.size[1] * 3
        self._sequence = max(1, min(_SEQUENCE_PICTURES, SEQUENCE_BYTES // picture_bytes))
        self._chunks = Chunks(path, requests, media, facts.codec, hidden_too=not gpu, span=span)
        self._checked = False
        try:
            self._graph: Graph | None = Graph(
                list(self._outputs.values()), sequence=self._sequence, gpu=gpu, threads=threads or 2
            )
        except BaseException:
            self._chunks.close()
            raise

    @property
    def backend(self) -> str:
        """Name and version of the decoder."""
        return f"dali {dali_version()} ({'nvdec' if self._gpu else 'cpu'})"

    @property
    def device(self) -> str:
        """Where the pixels lie."""
        return "cuda:0" if self._gpu and usable_torch() is not None else "cpu"

    @property
    def frames_decoded(self) -> int:
        """Frames that were passed so far, wanted or not."""
        return self._chunks.pictures

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Frees the decoder and the file."""
        self._chunks.close()
        if self._graph is not None:
            self._graph.close()
            self._graph = None

    def __iter__(self) -> Iterator[Delivery]:
        """Yields batches until the end of the video.

        Raises:
            DecoderGaveUpError: DALI can not go on with this file.
            TaskError: ``decode_error`` when the video stops before the end that its container promises.
        """
        for chunk in self._chunks:
            yield from self._decoded(chunk)
        yield from self._wanted.rest()

    def _decoded(self, chunk: Chunk) -> Iterator[Delivery]:
        graph = self._graph
        assert graph is not None
        runs = math.ceil(len(chunk.pictures) / self._sequence)
        graph.feed(chunk.data)
        graph.start()
        for run in range(runs):
            sequences = dict(zip(self._outputs, graph.take(), strict=True))
            first = run * self._sequence
            here = chunk.pictures[first : first + self._sequence]
            self._check(chunk, sequences, first, len(here))
            ready: list[Delivery] = []
            for place, picture in enumerate(here):
                if not picture.hidden:
                    pixels = functools.partial(_upright, sequences, place, self._turns)
                    ready += self._wanted.offer(pixels, picture.time, picture.number, key=picture.key)
            graph.release()
            if run + 1 < runs:
                graph.start()
            yield from ready

    def _check(self, chunk: Chunk, sequences: dict[Format, Any], first: int, count: int) -> None:
        """Looks at the first pictures of a file, and at the last of a chunk if they are black."""
        wanted, sequence = next(iter(sequences.items()))
        last = first + count == len(chunk.pictures)
        # Where pictures are missing the end of a chunk is black; but a video may be black there as well.
        if not self._checked or (last and not bool(sequence[count - 1].any())):
            check_pictures(chunk, first, sequence[:count], bgr=wanted.colour == "bgr")
        self._checked = True


def _output(wanted: Format, facts: VideoFacts, *, turned: bool) -> Output:
    assert facts.colours is not None
    size = (wanted.height, wanted.width) if turned else (wanted.width, wanted.height)
    matrix = correction(facts.colours, bgr=wanted.colour == "bgr")
    return Output(
        size=None if size == facts.size else size,
        scaling=wanted.scaling,
        matrix=None if matrix is None else tuple(matrix),
    )


def _upright(sequences: dict[Format, Any], place: int, turns: int, wanted: Format) -> Any:
    """A picture in one of its forms, as a view."""
    pixels = sequences[wanted][place]
    if not turns:
        return pixels
    return np.rot90(pixels, turns) if isinstance(pixels, np.ndarray) else pixels.rot90(turns, (0, 1))


def _on_gpu() -> Any:
    torch = usable_torch()
    if torch is None:
        return None
    return functools.partial(torch.empty, dtype=torch.uint8, device="cuda:0")
