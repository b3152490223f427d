"""What NVIDIA's decoders can read, as data: from the NVDEC application notes 12.2 and 13.0.

Only what DALI hands out is listed: 4:2:0. The table decides before anything is opened; what it lets through
and the card refuses all the same goes to PyAV as well, only later.
"""

from __future__ import annotations

from dataclasses import dataclass

_PASCAL, _VOLTA, _TURING, _GA100 = "Pascal", "Volta", "Turing", "GA100"
_AMPERE, _ADA, _HOPPER, _BLACKWELL = "Ampere", "Ada", "Hopper", "Blackwell"
_EVERY = frozenset({_PASCAL, _VOLTA, _TURING, _GA100, _AMPERE, _ADA, _HOPPER, _BLACKWELL})

_GENERATIONS = {
    (6, 0): _PASCAL,
    (6, 1): _PASCAL,
    (7, 0): _VOLTA,
    (7, 5): _TURING,
    (8, 0): _GA100,
    (8, 6): _AMPERE,
    (8, 9): _ADA,
    (9, 0): _HOPPER,
    (10, 0): _BLACKWELL,
    (10, 3): _BLACKWELL,
    (12, 0): _BLACKWELL,
    (12, 1): _BLACKWELL,
}


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of the table.

    Attributes:
        codec: FFmpeg's name.
        bits: Depths of a sample.
        generations: Which have it.
        least: Smallest width and height.
        most: Largest width and height.
    """

    codec: str
    bits: frozenset[int]
    generations: frozenset[str]
    least: tuple[int, int]
    most: tuple[int, int]


_TABLE = (
    _Row("h264", frozenset({8}), _EVERY, (48, 16), (4096, 4096)),
    _Row("h264", frozenset({10}), frozenset({_BLACKWELL}), (48, 16), (8192, 8192)),
    _Row("hevc", frozenset({8, 10, 12}), _EVERY, (144, 144), (8192, 8192)),
    _Row("vp8", frozenset({8}), _EVERY, (48, 16), (4096, 4096)),
    _Row("vp9", frozenset({8, 10, 12}), _EVERY, (128, 128), (8192, 8192)),
    # Hopper (H100, H200) and GA100 (A100) have no AV1, though older and newer cards do.
    _Row("av1", frozenset({8, 10}), frozenset({_AMPERE, _ADA, _BLACKWELL}), (128, 128), (8192, 8192)),
    _Row("mpeg4", frozenset({8}), _EVERY, (48, 16), (2032, 2032)),
)


def refusal(capability: tuple[int, int], codec: str, bits: int, size: tuple[int, int]) -> str | None:
    """Why a card can not decode a 4:2:0 video; None if it can.

    Args:
        capability: The card's compute capability, as ``(9, 0)``.
        codec: FFmpeg's name of the codec.
        bits: Depth of a sample.
        size: Width and height.
    """
    generation = _GENERATIONS.get(capability)
    if generation is None:
        return f"what a GPU of compute capability {capability[0]}.{capability[1]} decodes is not known"
    rows = [row for row in _TABLE if row.codec == codec and generation in row.generations]
    row = next((row for row in rows if bits in row.bits), None)
    reason = None
    if row is None:
        reason = f"NVDEC of {generation} has no {codec}" + (f" of {bits} bits" if rows else "")
    elif size[0] < row.least[0] or size[1] < row.least[1]:
        reason = f"NVDEC wants {codec} of {row.least[0]}x{row.least[1]} at least"
    elif size[0] > row.most[0] or size[1] > row.most[1]:
        reason = f"NVDEC takes {codec} up to {row.most[0]}x{row.most[1]}"
    return reason
