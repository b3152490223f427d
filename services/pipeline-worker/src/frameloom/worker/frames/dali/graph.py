"""The DALI graph, in one place: a stream of short videos in, resized pictures in the wanted colours out.

Decoding happens once for all outputs; each has a resize and a colour matrix of its own. On a GPU everything
after the packets happens there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from frameloom.worker.frames.base import DecoderGaveUpError, Scaling

_INPUT = "video"


@dataclass(frozen=True, slots=True)
class Output:
    """One form in which the pictures are wanted.

    Attributes:
        size: Width and height; None leaves them as they are.
        scaling: Filter of the resize.
        matrix: Nine numbers to be applied to the colours of each pixel; None leaves them as they are, RGB.
    """

    size: tuple[int, int] | None
    scaling: Scaling
    matrix: tuple[float, ...] | None


class Graph:
    """Feed it, call :meth:`start`, then :meth:`take`, as often as there are sequences in what was fed.

    Args:
        outputs: The forms.
        sequence: Pictures that come at once.
        gpu: Decode and compute on the first GPU.
        threads: For the operators that run on the CPU.

    Raises:
        DecoderGaveUpError: DALI can not set it up.
    """

    def __init__(self, outputs: Sequence[Output], *, sequence: int, gpu: bool, threads: int) -> None:
        from nvidia.dali import Pipeline  # noqa: PLC0415 - half a gigabyte, an extra of the worker

        self._gpu = gpu
        # One run at a time: the next is started as soon as this one's pictures are copied out, and works
        # while they are looked at. A deeper queue would run ahead of what was fed.
        self._pipeline = Pipeline(
            batch_size=1, num_threads=threads, device_id=0 if gpu else None, prefetch_queue_depth=1
        )
        with self._pipeline, _told():
            self._pipeline.set_outputs(*_nodes(outputs, sequence=sequence, gpu=gpu))
            self._pipeline.build()

    def feed(self, data: npt.NDArray[np.uint8]) -> None:
        """Gives the next video file; it must stay as it is until its last picture came out."""
        with _told():
            self._pipeline.feed_input(_INPUT, [data])

    def start(self) -> None:
        """Begins with the next sequence, without waiting for it."""
        with _told():
            self._pipeline.schedule_run()

    def take(self) -> list[Any]:
        """The sequence that was started, for each output ``[pictures, height, width, 3]``.

        On a GPU these are torch tensors over DALI's own memory if torch can use the GPU, and arrays in main
        memory if it can not; without a GPU arrays over DALI's memory. They are valid until :meth:`release`.
        """
        with _told():
            return [_handed_over(one.as_tensor(), gpu=self._gpu) for one in self._pipeline.share_outputs()]

    def release(self) -> None:
        """Gives the memory of the last sequence back to DALI, once torch has copied from it."""
        if self._gpu and (torch := usable_torch()) is not None:
            torch.cuda.current_stream().synchronize()  # its copies are only queued until then
        with _told():
            self._pipeline.release_outputs()

    def close(self) -> None:
        """Ends DALI's threads and frees its memory; nothing may be called after it."""
        del self._pipeline


def _nodes(outputs: Sequence[Output], *, sequence: int, gpu: bool) -> list[Any]:
    from nvidia.dali import fn, types  # noqa: PLC0415 - as above

    frames = fn.experimental.inputs.video(
        name=_INPUT,
        device="mixed" if gpu else "cpu",
        sequence_length=sequence,
        # Else what could not be decoded would be memory that nobody wrote on.
        last_sequence_policy="pad",
        no_copy=True,
    )
    nodes = []
    for output in outputs:
        node = frames
        if output.size is not None:
            width, height = output.size
            node = fn.resize(
                node,
                resize_x=width,
                resize_y=height,
                interp_type=types.INTERP_LINEAR,
                # FFmpeg's bilinear and area filters widen with the step down, its fast one does not.
                antialias=output.scaling != "fast_bilinear",
            )
        if output.matrix is not None:
            node = fn.coord_transform(node, M=list(output.matrix), dtype=types.UINT8)
        nodes.append(node)
    return nodes


def _handed_over(tensor: Any, *, gpu: bool) -> Any:
    """Over to torch by DLPack, which copies nothing; or to numpy."""
    if not gpu:
        return np.asarray(tensor)[0]
    torch = usable_torch()
    return torch.from_dlpack(tensor)[0] if torch is not None else np.asarray(tensor.as_cpu())[0]


def usable_torch() -> Any | None:
    """The module ``torch`` if it is installed and can use the GPU."""
    try:
        import torch  # noqa: PLC0415 - an extra of the worker
    except ImportError:
        return None
    return torch if torch.cuda.is_available() else None


class _told:  # noqa: N801 - reads as what it does
    """Turns DALI's errors, which are RuntimeErrors of many lines, into one with the line that matters."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if isinstance(error, RuntimeError):
            raise DecoderGaveUpError(f"DALI says: {_sentence(str(error))}") from error


def _sentence(text: str) -> str:
    lines = [line.strip() for line in text.partition("encountered:")[2].splitlines() if line.strip()]
    return lines[0][:200] if lines else (text.strip().splitlines() or ["nothing"])[0][:200]
