"""Frames on their way to a pipeline, wherever their pixels lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch

Pixels = npt.NDArray[np.uint8]


class FrameBatch:
    """Some frames in order of presentation.

    A pipeline that computes with numpy takes ``pixels`` and need not know where the frames were decoded; one
    that computes with torch takes ``torch()`` and spares the way through main memory when they lie on a GPU.

    Args:
        pixels: ``uint8 [N, height, width, 3]``, C-contiguous: an array, or a torch tensor of its own memory.
        timestamps: See below.
        frame_numbers: See below.

    Attributes:
        timestamps: ``float64 [N]``, seconds from the start of the media, never falling.
        frame_numbers: ``int64 [N]``, index of the frame in the whole video, from 0. Counted where all frames
            are decoded; estimated from time and frame rate where the decoder skips (key frames, and rates
            below one frame in two seconds).
    """

    __slots__ = ("_host", "_tensor", "frame_numbers", "timestamps")

    def __init__(
        self,
        pixels: Pixels | torch.Tensor,
        timestamps: npt.NDArray[np.float64],
        frame_numbers: npt.NDArray[np.int64],
    ) -> None:
        self._host: Pixels | None = pixels if isinstance(pixels, np.ndarray) else None
        self._tensor: torch.Tensor | None = None if isinstance(pixels, np.ndarray) else pixels
        self.timestamps = timestamps
        self.frame_numbers = frame_numbers

    def __len__(self) -> int:
        return int(self.timestamps.shape[0])

    @property
    def device(self) -> str:
        """Where the pixels were put by the decoder: ``cpu``, or ``cuda:0``."""
        return "cpu" if self._tensor is None else str(self._tensor.device)

    @property
    def pixels(self) -> Pixels:
        """``uint8 [N, height, width, 3]`` in main memory, C-contiguous.

        It may be kept, and can not be changed: others may be looking at it. Frames on a GPU are fetched when
        this is first asked for.
        """
        if self._host is None:
            assert self._tensor is not None
            host: Pixels = self._tensor.cpu().numpy()
            host.flags.writeable = False
            self._host = host
        return self._host

    def torch(self, device: str | torch.device | None = None) -> torch.Tensor:
        """The same pixels as a tensor, ``uint8 [N, height, width, 3]``; not to be changed in place.

        Args:
            device: Where it is wanted; None leaves it where it is. Nothing is copied unless it has to move.
        """
        import torch  # noqa: PLC0415 - an extra of the worker, and slow to import

        if self._tensor is None:
            assert self._host is not None
            self._tensor = torch.utils.dlpack.from_dlpack(self._host)
        return self._tensor if device is None else self._tensor.to(device)
