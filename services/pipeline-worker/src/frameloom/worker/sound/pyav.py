"""Sound decoded by FFmpeg through PyAV: any container and codec that it reads, resampled in the same step."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
import numpy.typing as npt
import structlog
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from frameloom.common.documents.task import FailureCategory
from frameloom.worker.errors import TaskError
from frameloom.worker.media.containers import open_container, start_seconds
from frameloom.worker.media.hearing import promised_sound_end, sound_stream
from frameloom.worker.sound.base import SoundBlock, SoundRequest
from frameloom.worker.sound.sharing import Reblocker

logger = structlog.get_logger(__name__)

_TOLERANCE_SECONDS = 0.05
"""Time stamps jitter by a packet; what is below is no gap."""
_MOST_SILENCE_SECONDS = 4 * 3600.0
"""A gap above this is a broken time stamp, not a pause."""
_RESTART_SECONDS = 1.0
"""Time stamps that go back further begin anew, as in files that were put one behind the other."""
_FULL_SCALE = 1 / 2**31
_SLACK_SECONDS = 1.0


class PyAVSound:
    """See :class:`~frameloom.worker.sound.base.SoundSource`."""

    def __init__(self, path: Path, request: SoundRequest) -> None:
        self._path = path
        self._request = request
        self._container = open_container(path)
        try:
            self._stream = sound_stream(self._container)
        except BaseException:
            self._container.close()
            raise
        self._start = start_seconds(self._container)
        self._resampler = self._fresh_resampler()
        self._samples = 0
        self._damaged = 0

    @property
    def backend(self) -> str:
        """Name and version of the decoder."""
        major, minor, _ = av.library_versions["libavcodec"]
        return f"pyav {av.__version__} (libavcodec {major}.{minor})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Frees the decoder and the file."""
        self._container.close()

    def __iter__(self) -> Iterator[SoundBlock]:
        """Yields blocks until the end of the sound.

        Raises:
            TaskError: ``decode_error`` when nothing can be decoded, or when the sound stops before the end
                that its container promises.
        """
        reblocker = Reblocker(self._request)
        for piece in self._pieces():
            yield from reblocker.feed(piece)
        yield from reblocker.rest()
        self._check_complete()

    def _pieces(self) -> Iterator[npt.NDArray[np.float32]]:
        """Samples in order, silence where the file has a gap, nothing twice where it repeats itself."""
        for resampled in self._resampled():
            samples = resampled.to_ndarray().reshape(-1).astype(np.float32) * np.float32(_FULL_SCALE)
            gap = self._gap(resampled)
            if gap > 0:
                self._samples += gap
                yield from self._silence(gap)
            elif gap < 0:
                samples = samples[-gap:]
            if len(samples):
                self._samples += len(samples)
                yield samples

    def _fresh_resampler(self) -> AudioResampler:
        """Whole numbers, because only for those FFmpeg mixes channels so that none can add up to over 1."""
        return AudioResampler(format="s32", layout="mono", rate=self._request.rate_hz)

    def _resampled(self) -> Iterator[AudioFrame]:
        """The frames at our rate; from where their own rate or channels change, by another resampler."""
        form = None
        for frame in self._frames():
            if form not in {None, _form(frame)}:
                yield from self._resampler.resample(None)
                self._resampler = self._fresh_resampler()
            form = _form(frame)
            yield from self._resampler.resample(frame)
        yield from self._resampler.resample(None)

    def _silence(self, samples: int) -> Iterator[npt.NDArray[np.float32]]:
        """A pause in pieces of a block, so that memory does not grow with its length."""
        piece = self._request.block_samples
        for begin in range(0, samples, piece):
            yield np.zeros(min(piece, samples - begin), np.float32)

    def _frames(self) -> Iterator[AudioFrame]:
        try:
            for packet in self._container.demux(self._stream):
                try:
                    yield from packet.decode()
                except av.FFmpegError:
                    self._damaged += 1
        except av.FFmpegError as error:
            self._damaged += 1
            logger.info("media_demux_stopped", error=str(error), samples=self._samples)

    def _gap(self, frame: AudioFrame) -> int:
        """Samples between what was given and where this frame belongs; below zero: how many are repeated."""
        if frame.pts is None or frame.time_base is None:
            return 0
        time = float(frame.pts * frame.time_base) - self._start
        gap = round(time * self._request.rate_hz) - self._samples
        seconds = gap / self._request.rate_hz
        if seconds > _MOST_SILENCE_SECONDS or seconds < -_RESTART_SECONDS:
            self._start += seconds  # from here on this is the clock
            return 0
        return gap if abs(seconds) > _TOLERANCE_SECONDS else 0

    def _check_complete(self) -> None:
        if not self._samples:
            raise TaskError(
                FailureCategory.DECODE_ERROR, "No sound of the file can be decoded: it is damaged or cut off."
            )
        promised = promised_sound_end(self._path, self._container, self._stream)
        reached = self._samples / self._request.rate_hz
        if promised is not None and promised - reached > max(_SLACK_SECONDS, promised * 0.01):
            raise TaskError(
                FailureCategory.DECODE_ERROR,
                f"The sound stops being readable at {reached:.1f} s of {promised:.1f} s: "
                "the file is damaged, or was cut off before its end.",
            )
        if self._damaged:
            logger.warning("media_damaged_packets_skipped", count=self._damaged)


def _form(frame: AudioFrame) -> tuple[str, str, int]:
    return frame.format.name, frame.layout.name, frame.sample_rate
