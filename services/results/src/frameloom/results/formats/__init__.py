"""The file formats that results come in: one module a format, each streaming, none holding a whole result."""

from __future__ import annotations

from collections.abc import Mapping

from frameloom.results.formats import (
    chat,
    csv_table,
    cvat,
    elan,
    emotion,
    face_links,
    json_document,
    mot,
    parquet,
    rttm,
    srt,
    textgrid,
    webvtt,
)
from frameloom.results.formats.base import UnknownWriterError, Writer

__all__ = ["WRITERS", "writer_of"]

WRITERS: Mapping[str, Writer] = {
    "json": json_document.write,
    "webvtt": webvtt.write,
    "srt": srt.write,
    "rttm": rttm.write,
    "textgrid": textgrid.write,
    "chat": chat.write,
    "csv": csv_table.write,
    "parquet": parquet.write,
    "mot": mot.write,
    "cvat": cvat.write,
    "elan": elan.write,
    "emotion": emotion.write,
    "face_links": face_links.write,
}
"""By the name that an :class:`~frameloom.common.pipelines.ArtefactSpec` gives."""


def writer_of(name: str) -> Writer:
    """The writer of a format.

    Raises:
        UnknownWriterError: This results service does not know it: a newer worker asked for it.
    """
    try:
        return WRITERS[name]
    except KeyError:
        raise UnknownWriterError(name, sorted(WRITERS)) from None
