"""Apache Parquet: the same columns as CSV, typed; the provenance is in the file's metadata."""

from __future__ import annotations

import io
from typing import Any

from frameloom.common.events import Provenance
from frameloom.common.pipelines import ArtefactSpec
from frameloom.results.formats.base import Out, Rows, records
from frameloom.results.formats.columns import Column, columns_of

_GROUP_ROWS = 50_000


async def write(spec: ArtefactSpec, provenance: Provenance, rows: Rows, out: Out) -> int:
    """Writes groups of rows, so that no more than one group is in memory."""
    import pyarrow as pa  # noqa: PLC0415 - takes half a second, and few results want it
    from pyarrow import parquet  # noqa: PLC0415

    columns = columns_of(spec)
    types = {"number": pa.float64(), "integer": pa.int64(), "text": pa.string()}
    schema = pa.schema(
        [(column.name, types[column.kind]) for column in columns],
        metadata={"frameloom.provenance": provenance.model_dump_json()},
    )
    count = 0
    group: list[dict[str, Any]] = []
    with parquet.ParquetWriter(_Sink(out), schema, compression="zstd") as table:
        async for row in records(rows, spec.counted):
            group.append(_values(columns, row))
            count += 1
            if len(group) >= _GROUP_ROWS:
                table.write_table(pa.Table.from_pylist(group, schema=schema))
                group = []
        table.write_table(pa.Table.from_pylist(group, schema=schema))
    return count


def _values(columns: list[Column], row: dict[str, Any]) -> dict[str, Any]:
    return {column.name: column.of(row) for column in columns}


class _Sink(io.RawIOBase):
    """What Arrow writes to: it only ever appends."""

    def __init__(self, out: Out) -> None:
        super().__init__()
        self._out = out
        self._size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        body = bytes(data)
        self._out.write(body)
        self._size += len(body)
        return len(body)

    def tell(self) -> int:
        return self._size
