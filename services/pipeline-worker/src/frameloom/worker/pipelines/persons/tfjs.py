"""Reads graph models in the format of TensorFlow.js: nodes as JSON, weights as one binary file."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class UnknownFormatError(ValueError):
    """The file is no graph model, or uses what is not known here."""


@dataclass(frozen=True, slots=True)
class Node:
    """One operation.

    Attributes:
        name: Unique in the graph.
        op: As TensorFlow calls it.
        inputs: Names; ``name:1`` is the second output of a node.
        attributes: In the JSON form of TensorFlow's protocol buffers.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    attributes: Mapping[str, Any]

    def integers(self, key: str) -> tuple[int, ...]:
        """A list of integers, such as strides; the format writes them as strings."""
        return tuple(int(value) for value in self.attributes.get(key, {}).get("list", {}).get("i", ()))

    def text(self, key: str) -> str:
        """A string, such as the kind of padding; in base64 in the format."""
        return base64.b64decode(self.attributes.get(key, {}).get("s", "")).decode()

    def flag(self, key: str) -> bool:
        """A truth value; a missing one is false."""
        return bool(self.attributes.get(key, {}).get("b", False))

    def number(self, key: str, default: float) -> float:
        """A number."""
        return float(self.attributes.get(key, {}).get("f", default))


@dataclass(frozen=True, slots=True)
class Graph:
    """A model as it stands in its files.

    Attributes:
        nodes: All operations, in the order of the file.
        weights: Values of the ``Const`` nodes, by name.
        outputs: Node that gives each output of the signature, in the order of its keys.
    """

    nodes: tuple[Node, ...]
    weights: Mapping[str, Array]
    outputs: tuple[str, ...]


def read_graph(topology: Path, weights: Path) -> Graph:
    """Reads both files.

    Raises:
        UnknownFormatError: They do not fit together, or are of another format.
    """
    document = json.loads(topology.read_text("utf-8"))
    try:
        nodes = tuple(_node(node) for node in document["modelTopology"]["node"])
        entries = [entry for group in document["weightsManifest"] for entry in group["weights"]]
        outputs = document["signature"]["outputs"]
        names = tuple(str(outputs[key]["name"]).removesuffix(":0") for key in sorted(outputs))
    except (KeyError, TypeError) as error:
        raise UnknownFormatError(f"{topology.name} is no graph model of TensorFlow.js: {error}") from None
    return Graph(nodes, read_weights(entries, weights.read_bytes()), names)


def read_weights(entries: list[dict[str, Any]], data: bytes) -> dict[str, Array]:
    """Arrays by name, from the entries of a weights manifest and the bytes that they describe in turn.

    Numbers stored as ``float16`` are given as ``float32``; so are bytes with a scale and a least value.

    Raises:
        UnknownFormatError: Another storage, or another length than the entries say.
    """
    found: dict[str, Array] = {}
    offset = 0
    for entry in entries:
        packed = entry.get("quantization", {})
        stored = np.dtype(packed.get("dtype", entry["dtype"])).newbyteorder("<")
        scaled = stored == np.uint8 and "scale" in packed
        if stored not in (np.float16, np.float32, np.int32) and not scaled:
            raise UnknownFormatError(f"{entry['name']} is stored as {stored}, which is not known here")
        count = int(np.prod(entry["shape"], dtype=np.int64))
        if offset + count * stored.itemsize > len(data):
            raise UnknownFormatError("the weights are shorter than their manifest says")
        values = np.frombuffer(data, stored, count, offset).reshape(entry["shape"])
        if scaled:
            values = values.astype(np.float32) * np.float32(packed["scale"]) + np.float32(packed["min"])
        found[entry["name"]] = values.astype(entry["dtype"])
        offset += count * stored.itemsize
    if offset != len(data):
        raise UnknownFormatError("the weights are longer than their manifest says")
    return found


def _node(node: Mapping[str, Any]) -> Node:
    # A name after ^ only says what must run before.
    inputs = tuple(name for name in node.get("input", ()) if not name.startswith("^"))
    return Node(node["name"], node["op"], inputs, node.get("attr", {}))
