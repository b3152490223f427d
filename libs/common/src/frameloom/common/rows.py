"""How the rows of a chunk are kept: gzipped JSON lines, one ``["list",{row}]`` each. Pure.

The results service writes them and cuts rows out unparsed; a worker that stitches segments reads them back.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator

from frameloom.common.pipelines import Item

_FASTEST = 1


def pack(items: Iterable[Item]) -> bytes:
    """The rows of a chunk as they are stored."""
    lines = "\n".join(
        json.dumps([item.list, item.row], separators=(",", ":"), ensure_ascii=False) for item in items
    )
    return gzip.compress(lines.encode(), _FASTEST)


def cut_out(packed: bytes, name: str) -> list[bytes]:
    """The rows of one list, each as compact JSON, unparsed."""
    head = _head(name)
    return [line[len(head) : -1] for line in gzip.decompress(packed).split(b"\n") if line.startswith(head)]


def unpack(packed: bytes, names: Iterable[str]) -> Iterator[Item]:
    """The rows of some lists, in order; those of others are not even parsed."""
    heads = tuple(_head(name) for name in names)
    for line in gzip.decompress(packed).split(b"\n"):
        if line.startswith(heads):
            name, row = json.loads(line)
            yield Item(list=name, row=row)


def _head(name: str) -> bytes:
    return json.dumps([name], separators=(",", ":"), ensure_ascii=False)[:-1].encode() + b","
