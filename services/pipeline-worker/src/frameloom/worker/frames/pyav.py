"""Frames decoded on the CPU by FFmpeg through PyAV: the fastest software path measured.

Work is avoided in three places: key-frame sampling makes the decoder skip everything else, sparse
rates jump over whole groups of pictures, and only wanted frames are scaled and converted, in one step
from the decoder's own pixel format. The first two need that all requests are of that kind.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
import numpy.typing as npt
import structlog
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from frameloom.common.pipelines import MediaInfo
from frameloom.worker.frames.base import Delivery, FrameRequest, Refusal, SharedFrames
from frameloom.worker.frames.batching import Format, Subscriptions
from frameloom.worker.frames.completeness import Reach, check_complete
from frameloom.worker.frames.converting import Converter
from frameloom.worker.frames.sampling import JumpPlanner
from frameloom.worker.media.containers import go_to_key_frame, open_container, start_seconds, video_stream
from frameloom.worker.media.spans import Span

logger = structlog.get_logger(__name__)

_WITHOUT_PRESENTATION_TIMES = {"avi"}
_DECODE_ALL = {"vp9", "libdav1d"}
"""Decoders that do not heed ``skip_frame``; their key frames need nothing of what is between them."""


class PyAVSource:
    """See :class:`~frameloom.worker.frames.base.SharedFrames`."""

    def __init__(
        self,
        path: Path,
        requests: Sequence[FrameRequest],
        media: MediaInfo,
        threads: int | None,
        span: Span | None = None,
    ) -> None:
        self._path = path
        self._media = media
        self._container = open_container(path)
        try:
            self._stream = video_stream(self._container)
        except BaseException:
            self._container.close()
            raise
        self._start = start_seconds(self._container)
        self._decoding_order_only = self._container.format.name in _WITHOUT_PRESENTATION_TIMES
        self._delay: int | None = None
        self._span = span
        self._wanted = Subscriptions(requests, media, before=span.before if span else None)
        self._converters = {one: Converter(one) for one in self._wanted.formats}
        samplings = [request.sampling for request in requests]
        indexed = len(self._stream.index_entries) > 0
        self._jumps = JumpPlanner.for_samplings(samplings, indexed=indexed)
        self._only_keys = all(sampling.kind == "key" for sampling in samplings)
        self._skips = self._jumps.enabled or self._only_keys
        self._reach = Reach(before=span.first_frame if span else 0)
        self._given = 0
        if span is not None and span.begin and not go_to_key_frame(self._container, self._stream, span.begin):
            self._container.close()  # all of it is decoded
            self._container = open_container(path)
            self._stream = video_stream(self._container)
        self._set_up_decoder(threads)

    def _set_up_decoder(self, threads: int | None) -> None:
        codec = self._stream.codec_context
        codec.thread_type = "NONE" if threads == 1 else "AUTO"
        codec.thread_count = threads or 0

    @property
    def backend(self) -> str:
        """Name and version of the decoder."""
        major, minor, _ = av.library_versions["libavcodec"]
        return f"pyav {av.__version__} (libavcodec {major}.{minor})"

    @property
    def device(self) -> str:
        """Pixels are in main memory."""
        return "cpu"

    @property
    def frames_decoded(self) -> int:
        """Frames that the decoder has delivered so far, wanted or not."""
        return self._reach.frames

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Frees the decoder and the file."""
        self._container.close()

    def __iter__(self) -> Iterator[Delivery]:
        """Yields batches until the end of the video.

        Raises:
            TaskError: ``decode_error`` when the video stops before the end that its container promises.
        """
        begin = self._span.begin if self._span else 0.0
        until = self._span.until if self._span else None
        for frame in self._frames():
            timestamp = self._timestamp(frame)
            if timestamp < begin:
                continue  # the seek came down before it; or it leads the key frame, and needs those before
            if until is not None and timestamp >= until:
                yield from self._wanted.rest()
                return  # whether the rest can be read is another run's affair
            self._given += 1
            pixels = functools.partial(self._pixels, frame)
            yield from self._wanted.offer(pixels, timestamp, self._number(timestamp), key=frame.key_frame)
        yield from self._wanted.rest()
        check_complete(self._path, self._container, self._stream, self._reach, by_packets=self._skips)

    def _pixels(self, frame: VideoFrame, wanted: Format) -> npt.NDArray[np.uint8]:
        return self._converters[wanted].pixels(frame)

    def _frames(self) -> Iterator[VideoFrame]:
        passing = self._only_keys and self._stream.codec_context.name in _DECODE_ALL
        for packet in self._packets():
            if passing and self._reach.frames and packet.size and not packet.is_keyframe:
                continue
            try:
                frames = packet.decode()
            except av.FFmpegError:
                # One damaged packet costs a few frames; whether it was the end of it all shows at the end.
                self._reach.damaged += 1
                continue
            yield from frames
            if frames and self._only_keys:
                # Not from the start: an edit list may hide the first key frame, so there would be none.
                self._stream.codec_context.skip_frame = "NONKEY"
            self._jump()

    def _packets(self) -> Iterator[Packet[VideoStream]]:
        try:
            for packet in self._container.demux(self._stream):
                if packet.size:
                    self._note(packet)
                yield packet
        except av.FFmpegError as error:
            self._reach.damaged += 1
            logger.info("media_demux_stopped", error=str(error), seconds=round(self._reach.packets_end, 3))

    def _note(self, packet: Packet[VideoStream]) -> None:
        self._reach.packets += 1
        stamp = packet.pts if packet.pts is not None else packet.dts
        if stamp is None or packet.time_base is None:
            return
        time = float(stamp * packet.time_base) - self._start
        if self._reach.jumped_from is not None:
            self._jumps.landed(self._reach.jumped_from, time)
            self._reach.jumped_from = None
        elif packet.is_keyframe:
            self._jumps.saw_key(time)
        self._reach.position = time
        length = float((packet.duration or 0) * packet.time_base)
        self._reach.packets_end = max(self._reach.packets_end, time + length)

    def _jump(self) -> None:
        target = self._jumps.target(self._reach.position, self._wanted.due)
        if target is None or self._reach.jumped_from is not None or target >= self._media.duration_seconds:
            return
        self._reach.jumped_from = self._reach.position
        self._reach.jumps += 1
        try:
            self._container.seek(round((target + self._start) * av.time_base))
        except av.FFmpegError:
            self._jumps.enabled = False

    def _timestamp(self, frame: VideoFrame) -> float:
        """Seconds from the start of the media; a frame without a time stamp follows the one before."""
        length = 1.0 / self._media.fps
        if frame.duration and frame.time_base:
            length = float(frame.duration * frame.time_base)
        stamp = self._stamp(frame)
        if stamp is None or frame.time_base is None:
            time = self._reach.frames_end
        else:
            time = float(stamp * frame.time_base) - self._start
        time = max(time, self._reach.last_frame, 0.0)
        self._reach.frames += 1
        self._reach.last_frame = time
        self._reach.frames_end = max(self._reach.frames_end, time + length)
        return time

    def _stamp(self, frame: VideoFrame) -> int | None:
        """Presentation time in ticks of the frame's time base."""
        if not self._decoding_order_only:
            return frame.pts if frame.pts is not None else frame.dts
        # The decoder hands frames out in order of presentation, each with the time stamp of the packet that
        # made it come out: in order, but late by the frames that were held back before the first one.
        if frame.dts is None:
            return None
        if self._delay is None:
            self._delay = frame.dts - (self._stream.start_time or 0)
        return frame.dts - self._delay

    def _number(self, timestamp: float) -> int:
        if self._skips:
            return round(timestamp * self._media.fps)
        return (self._span.first_frame if self._span else 0) + self._given - 1


class _PyAVBackend:
    """Decodes everything that FFmpeg can, on any machine: the last resort and the reference."""

    def refusal(
        self,
        path: Path,  # noqa: ARG002 - the port's signature, here and below
        media: MediaInfo,  # noqa: ARG002
        requests: Sequence[FrameRequest],  # noqa: ARG002
        *,
        asked: bool,  # noqa: ARG002
    ) -> Refusal | None:
        return None

    def open(
        self,
        path: Path,
        requests: Sequence[FrameRequest],
        media: MediaInfo,
        *,
        threads: int | None,
        span: Span | None = None,
    ) -> SharedFrames:
        return PyAVSource(path, requests, media, threads, span)


BACKEND = _PyAVBackend()
