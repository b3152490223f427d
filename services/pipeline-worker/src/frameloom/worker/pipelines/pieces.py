"""What the segments of a video have found, read back to be stitched.

A worker lays the chunks of each segment into a folder of its own. They are read one at a time, so memory does
not depend on the length of the video.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import ValidationError

from frameloom.common import rows
from frameloom.common.documents.task import FailureCategory
from frameloom.common.pipelines import Item, MediaInfo
from frameloom.worker.errors import TaskError
from frameloom.worker.media.spans import Span

ABOUT = "_segment"
"""List of the one row in which a segment tells of itself. No file has it."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A segment that is done.

    Attributes:
        span: The part of the media that it saw.
        media: What probing found, of the whole file.
        decoder: Name and version.
        frames: Frames that it looked at.
        files: Its chunks, in order.
    """

    span: Span
    media: MediaInfo
    decoder: str
    frames: int
    files: tuple[Path, ...]

    def items(self, *lists: str) -> Iterator[Item]:
        """Its rows of these lists, in the order in which they were given; may be asked for again."""
        for file in self.files:
            yield from rows.unpack(file.read_bytes(), lists)


def about(span: Span, media: MediaInfo, decoder: str, frames: int) -> Item:
    """The row in which a segment tells of itself."""
    row = {
        "span": asdict(span),
        "media": media.model_dump(mode="json"),
        "decoder": decoder,
        "frames": frames,
    }
    return Item(list=ABOUT, row=row)


def folder_of(folder: Path, place: int) -> Path:
    """Where the chunks of one segment are laid."""
    return folder / f"{place:06d}"


def open_pieces(folder: Path) -> list[Piece]:
    """The segments that lie in a folder, in order.

    Raises:
        TaskError: ``worker_protocol``: one of them is not complete.
    """
    pieces = [_open(one) for one in sorted(folder.iterdir())]
    if not pieces or [piece.span.index for piece in pieces] != list(range(pieces[0].span.count)):
        raise TaskError(FailureCategory.WORKER_PROTOCOL, "Not all segments of the video are there.")
    return pieces


def _open(folder: Path) -> Piece:
    files = tuple(sorted(folder.iterdir()))
    # It is the last row, so the last chunk has it.
    for file in reversed(files):
        for item in rows.unpack(file.read_bytes(), [ABOUT]):
            try:
                media = MediaInfo.model_validate(item.row["media"])
                span = Span(**item.row["span"])
                return Piece(span, media, str(item.row["decoder"]), int(item.row["frames"]), files)
            except (KeyError, TypeError, ValidationError) as error:
                raise TaskError(
                    FailureCategory.WORKER_PROTOCOL, "A segment was made by another version of the worker."
                ) from error
    raise TaskError(FailureCategory.WORKER_PROTOCOL, "A segment of the video did not tell its end.")
