"""CSV (RFC 4180): a heading, then one line per row."""

from __future__ import annotations

import csv
import io

from frameloom.common.events import Provenance
from frameloom.common.pipelines import ArtefactSpec
from frameloom.results.formats.base import Out, Rows, records
from frameloom.results.formats.columns import columns_of

_FLUSH_ROWS = 1000


async def write(spec: ArtefactSpec, provenance: Provenance, rows: Rows, out: Out) -> int:  # noqa: ARG001 - CSV has no place for it
    """Writes the columns that the artefact names."""
    columns = columns_of(spec)
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow([column.name for column in columns])
    count = 0
    async for row in records(rows, spec.counted):
        table.writerow([column.of(row) for column in columns])
        count += 1
        if count % _FLUSH_ROWS == 0:
            _flush(text, out)
    _flush(text, out)
    return count


def _flush(text: io.StringIO, out: Out) -> None:
    out.write(text.getvalue().encode())
    text.seek(0)
    text.truncate()
