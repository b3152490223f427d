"""One decode for several listeners: the same samples, cut into the blocks that each of them wants.

Nothing is resampled here: all of them want the same rate, or they can not share.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from frameloom.worker.errors import TaskError
from frameloom.worker.sound.base import SoundBlock, SoundRequest, SoundSource

Samples = npt.NDArray[np.float32]


class Reblocker:
    """Cuts a stream of samples into the blocks of one request, whatever the pieces that it comes in.

    Holds less than one block of samples beyond the piece that it was given.

    Args:
        request: Rate and length of the blocks; what is fed has this rate.
        begin: Place of the first sample in the whole sound.
    """

    def __init__(self, request: SoundRequest, begin: int = 0) -> None:
        self._request = request
        self._held: list[Samples] = []
        self._have = 0
        self._given = begin

    def feed(self, samples: Samples) -> list[SoundBlock]:
        """Takes the next samples, which stay the caller's.

        Returns:
            The blocks that became full; they own their samples.
        """
        wanted = self._request.block_samples
        blocks: list[SoundBlock] = []
        place = 0
        while self._have + len(samples) - place >= wanted:
            end = place + wanted - self._have
            blocks.append(self._block(samples[place:end]))
            place = end
        if place < len(samples):
            self._held.append(samples[place:].copy())
            self._have += len(samples) - place
        return blocks

    def rest(self) -> list[SoundBlock]:
        """The last block, which is shorter; none if the sound ended with a full one."""
        return [self._block(np.zeros(0, np.float32))] if self._have else []

    def _block(self, samples: Samples) -> SoundBlock:
        """What is held and these samples, as one block."""
        joined = np.concatenate([*self._held, samples])
        self._held, self._have = [], 0
        start = self._given / self._request.rate_hz
        self._given += len(joined)
        return SoundBlock(joined, start, self._request.rate_hz)


def shared_request(requests: Sequence[SoundRequest]) -> SoundRequest:
    """What to open the sound with, so that it serves all of these requests.

    Args:
        requests: At least one.

    Returns:
        Their rate, with the shortest of their blocks: then none of them waits longer than it asked for.

    Raises:
        ValueError: They want different rates, so one decode can not serve them.
    """
    rates = sorted({request.rate_hz for request in requests})
    if len(rates) != 1:
        raise ValueError(f"one decode can not serve listeners at different rates: {rates} Hz")
    return SoundRequest(rates[0], min(request.block_seconds for request in requests))


def deal(
    source: SoundSource, requests: Sequence[SoundRequest], begin: int = 0
) -> Iterator[tuple[int, SoundBlock]]:
    """Reads the sound once and gives each listener its own blocks, in order.

    Args:
        source: Opened with :func:`shared_request`, or with any block length at that rate.
        requests: One per listener.
        begin: Place of the source's first sample in the whole sound.

    Yields:
        The place of the listener in ``requests``, and its next block: the same that it would get from a
        source of its own, also where the sound stops being readable.

    Raises:
        TaskError: What the source raises, after the last blocks.
    """
    reblockers = [Reblocker(request, begin) for request in requests]
    failure: TaskError | None = None
    try:
        for piece in source:
            for listener, reblocker in enumerate(reblockers):
                for block in reblocker.feed(piece.samples):
                    yield listener, block
    except TaskError as error:
        failure = error
    for listener, reblocker in enumerate(reblockers):
        for block in reblocker.rest():
            yield listener, block
    if failure is not None:
        raise failure
