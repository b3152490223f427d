"""Frames decoded by NVIDIA's DALI: on the GPU by NVDEC, and without one for what DALI's own FFmpeg reads.

On a machine with a GPU it is taken by itself for each file that it can read. Without one it is slower than
PyAV, so it must be asked for; that is what the contract tests do.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from frameloom.common.pipelines import MediaInfo
from frameloom.worker.frames.base import FrameRequest, Refusal, SharedFrames
from frameloom.worker.frames.dali.driver import dali_version, gpu
from frameloom.worker.media.spans import Span


class _DaliBackend:
    """See :class:`~frameloom.worker.frames.base.Backend`."""

    def refusal(
        self, path: Path, media: MediaInfo, requests: Sequence[FrameRequest], *, asked: bool
    ) -> Refusal | None:
        """Facts are read from the file only where there is something to decide."""
        card = gpu()
        if card is None and not asked:
            return Refusal("there is no GPU", of_file=False)
        if dali_version() is None:
            return Refusal("DALI is not installed", of_file=False)
        from frameloom.worker.frames.dali import facts  # noqa: PLC0415 - opens files with PyAV

        if not asked and all(request.sampling.kind == "key" for request in requests):
            return Refusal("key frames alone are read with less work on the CPU", of_file=True)
        found = facts.VideoFacts.of(path)
        upright = found.size if media.rotation_degrees % 180 == 0 else found.size[::-1]
        if upright != (media.width, media.height):
            return Refusal("the container tells another size than the pictures have", of_file=True)
        reason = facts.refusal(found, card)
        return None if reason is None else Refusal(reason, of_file=True)

    def open(
        self,
        path: Path,
        requests: Sequence[FrameRequest],
        media: MediaInfo,
        *,
        threads: int | None,
        span: Span | None = None,
    ) -> SharedFrames:
        """Opens the file."""
        from frameloom.worker.frames.dali.facts import VideoFacts  # noqa: PLC0415 - as above
        from frameloom.worker.frames.dali.source import DaliSource  # noqa: PLC0415

        facts = VideoFacts.of(path)
        return DaliSource(path, requests, media, facts, gpu=gpu() is not None, threads=threads, span=span)


BACKEND = _DaliBackend()
