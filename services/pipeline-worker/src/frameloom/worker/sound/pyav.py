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
from frameloom.worker.media.containers import next_seconds, open_container, start_seconds
from frameloom.worker.media.hearing import promised_sound_end, sound_stream
from frameloom.worker.media.spans import Span
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
_LEAD_SECONDS = 1.0
"""So much is decoded and thrown away after a seek: codecs and the resampler need to find their feet."""


class PyAVSound:
    """See :class:`~frameloom.worker.sound.base.SoundSource`."""

    def __init__(self, path: Path, request: SoundRequest, span: Span | None = None) -> None:
        self._path = path
        self._request = request
        self._first = span.heard_from(request.rate_hz) if span else 0
        until = span.until if span else None
        self._end = None if until is None else round(until * request.rate_hz)
        self._container = open_container(path)
        try:
            self._stream = sound_stream(self._container)
        except BaseException:
            self._container.close()
            raise
        self._start = start_seconds(self._container)
        self._resampler = self._fresh_resampler()
        self._samples = 0
        self._placed = True
        self._late = 0
        self._damaged = 0
        if self._first:
            self._late = self._lateness()
            self._go_to(self._first / request.rate_hz - _LEAD_SECONDS)

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
        reblocker = Reblocker(self._request, self._first)
        for piece in self._pieces():
            yield from reblocker.feed(self._within(piece))
            if self._end is not None and self._samples >= self._end:
                yield from reblocker.rest()
                return  # whether the rest can be read is another run's affair
        yield from reblocker.rest()
        self._check_complete()

    def _within(self, piece: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """What of the newest samples belongs to the part that is asked for."""
        begin = self._samples - len(piece)
        end = len(piece) if self._end is None else max(0, self._end - begin)
        return piece[max(0, self._first - begin) : end]

    def _go_to(self, seconds: float) -> None:
        """Goes to a time, or a little before it; where the container can not, to the beginning."""
        try:
            self._container.seek(round((max(0.0, seconds) + self._start) * av.time_base))
            first = next_seconds(self._container, self._stream)
            if first is not None and first <= max(seconds, 0.0):
                self._container.seek(round((max(0.0, seconds) + self._start) * av.time_base))
                self._placed = False
                return
        except av.FFmpegError:
            pass
        self._container.close()
        self._container = open_container(self._path)
        self._stream = sound_stream(self._container)

    def _pieces(self) -> Iterator[npt.NDArray[np.float32]]:
        """Samples in order, silence where the file has a gap, nothing twice where it repeats itself."""
        for resampled in self._resampled():
            samples = resampled.to_ndarray().reshape(-1).astype(np.float32) * np.float32(_FULL_SCALE)
            self._place(resampled)
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

    def _place(self, frame: AudioFrame) -> None:
        """After a seek, the first time stamp tells which sample of the whole this is."""
        if not self._placed and (place := self._place_of(frame)) is not None:
            self._samples = max(0, place - self._late)
            self._placed = True

    def _lateness(self) -> int:
        """By how many samples the first sound is late, which who hears the whole passes over."""
        resampler = self._fresh_resampler()
        for frame in self._frames():
            for first in resampler.resample(frame):
                late = self._place_of(first) or 0
                return late if abs(late) <= _TOLERANCE_SECONDS * self._request.rate_hz else 0
        return 0

    def _place_of(self, frame: AudioFrame) -> int | None:
        """Which sample of the media its first one is, by its time stamp."""
        if frame.pts is None or frame.time_base is None:
            return None
        return round((float(frame.pts * frame.time_base) - self._start) * self._request.rate_hz)

    def _gap(self, frame: AudioFrame) -> int:
        """Samples between what was given and where this frame belongs; below zero: how many are repeated."""
        place = self._place_of(frame)
        if place is None:
            return 0
        gap = place - self._samples
        seconds = gap / self._request.rate_hz
        if seconds > _MOST_SILENCE_SECONDS or seconds < -_RESTART_SECONDS:
            self._start += seconds  # from here on this is the clock
            return 0
        return gap if abs(seconds) > _TOLERANCE_SECONDS else 0

    def _check_complete(self) -> None:
        if not self._samples and not self._first:
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
