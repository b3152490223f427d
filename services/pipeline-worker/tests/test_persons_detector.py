"""The detector's parts against plain references: decoding, suppression, reading and running graphs."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from frameloom.worker.pipelines.persons.detector import (  # noqa: E402 - needs torch
    BINS,
    SIDE,
    STRIDES,
    decode,
    overlaps,
    suppress,
)
from frameloom.worker.pipelines.persons.graph_network import GraphNetwork  # noqa: E402
from frameloom.worker.pipelines.persons.tfjs import UnknownFormatError, read_graph  # noqa: E402


def naive(scores: list[np.ndarray], sides: list[np.ndarray], least: float) -> list[tuple[float, ...]]:
    """Cell by cell, as the papers' formulas stand."""
    found = []
    for stride, level, bins in zip(STRIDES, scores, sides, strict=True):
        across = SIDE // stride
        for cell in range(across * across):
            score = float(level[cell, 0])
            if score < least:
                continue
            x, y = (cell % across + 0.5) * stride, (cell // across + 0.5) * stride
            reach = []
            for side in range(4):
                values = np.exp(bins[cell, side * BINS : (side + 1) * BINS].astype(float))
                reach.append(float((values / values.sum() * np.arange(BINS)).sum()) * stride)
            box = (x - reach[0], y - reach[1], x + reach[2], y + reach[3])
            found.append((*(min(max(edge, 0.0), float(SIDE)) for edge in box), score))
    return sorted(found, key=lambda row: -row[4])


def test_decoding_equals_the_plain_loop() -> None:
    random = np.random.default_rng(3)
    cells = [(SIDE // stride) ** 2 for stride in STRIDES]
    scores = [random.random((2, n, 5)).astype(np.float32) ** 40 for n in cells]
    sides = [random.normal(0, 2, (2, n, 4 * BINS)).astype(np.float32) for n in cells]
    boxes, values = decode(scores, sides, 0.3)
    assert len(boxes) == 2
    for picture in range(2):
        plain = naive([level[picture] for level in scores], [level[picture] for level in sides], 0.3)
        assert len(plain) > 20
        got = np.concatenate([boxes[picture], values[picture][:, None]], axis=1)
        np.testing.assert_allclose(got, plain, atol=2e-3)


def test_decoding_of_nothing_is_nothing() -> None:
    cells = [(SIDE // stride) ** 2 for stride in STRIDES]
    boxes, values = decode(
        [np.zeros((3, n, 1), np.float32) for n in cells],
        [np.zeros((3, n, 44), np.float32) for n in cells],
        0.1,
    )
    assert [len(part) for part in boxes] == [len(part) for part in values] == [0, 0, 0]
    assert suppress(boxes[0], values[0], 0.5).tolist() == []


def test_the_worse_of_two_boxes_on_one_person_goes() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [20, 0, 30, 10], [0, 0, 10, 4]], np.float32)
    scores = np.array([0.6, 0.9, 0.5, 0.8], np.float32)
    assert suppress(boxes, scores, 0.5).tolist() == [1, 3, 2]
    assert suppress(boxes, scores, 0.9).tolist() == [1, 3, 0, 2]
    assert overlaps(boxes[:1], boxes)[0].tolist() == pytest.approx([1, 90 / 110, 0, 0.4])


# --- graphs


def ints(*values: int) -> dict[str, Any]:
    return {"list": {"i": [str(value) for value in values]}}


def text(value: str) -> dict[str, str]:
    return {"s": base64.b64encode(value.encode()).decode()}


def written(folder: Path, nodes: list[dict[str, Any]], weights: dict[str, np.ndarray], out: str) -> tuple:
    """A graph model of these nodes; float weights are stored as 16 bits."""
    entries, data = [], b""
    for name, value in weights.items():
        entry: dict[str, Any] = {"name": name, "shape": list(value.shape), "dtype": str(value.dtype)}
        if value.dtype == np.float32:
            entry["quantization"] = {"dtype": "float16"}
        entries.append(entry)
        data += value.astype(entry.get("quantization", entry)["dtype"]).tobytes()
    consts = [{"name": name, "op": "Const"} for name in weights]
    model = {
        "modelTopology": {"node": [{"name": "x", "op": "Placeholder"}, *consts, *nodes]},
        "weightsManifest": [{"paths": ["w.bin"], "weights": entries}],
        "signature": {"outputs": {"y": {"name": f"{out}:0"}}},
    }
    (folder / "g.json").write_text(json.dumps(model))
    (folder / "w.bin").write_bytes(data)
    return folder / "g.json", folder / "w.bin"


CONV = {"padding": text("VALID"), "data_format": text("NHWC"), "strides": ints(1, 2, 2, 1)}
CHAIN: list[dict[str, Any]] = [
    {"name": "pad", "op": "Pad", "input": ["x", "zeros"]},
    {"name": "in", "op": "Transpose", "input": ["pad", "nhwc"]},
    {"name": "c", "op": "Conv2D", "input": ["in", "k"], "attr": {**CONV, "dilations": ints(1, 1, 1, 1)}},
    {"name": "b", "op": "Add", "input": ["c", "bias"]},
    {"name": "out", "op": "Transpose", "input": ["b", "nchw"]},
    {"name": "r", "op": "LeakyRelu", "input": ["out"], "attr": {"alpha": {"f": 0.1}}},
    {"name": "s", "op": "SplitV", "input": ["r", "sizes", "axis"]},
    {"name": "cat", "op": "ConcatV2", "input": ["s:1", "s", "axis"]},
    {"name": "y", "op": "Identity", "input": ["cat"]},
]


def values() -> dict[str, np.ndarray]:
    random = np.random.default_rng(1)
    return {
        "zeros": np.array([[0, 0], [0, 0], [1, 1], [1, 1]], np.int32),
        "nhwc": np.array([0, 2, 3, 1], np.int32),
        "nchw": np.array([0, 3, 1, 2], np.int32),
        "k": random.integers(-3, 4, (3, 3, 3, 4)).astype(np.float32),
        "bias": np.array([1, -2, 0.5, 3], np.float32),
        "sizes": np.array([1, 3], np.int32),
        "axis": np.array(1, np.int32),
    }


def test_a_small_network_gives_what_its_formula_says(tmp_path: Path) -> None:
    weights = values()
    network = GraphNetwork(read_graph(*written(tmp_path, CHAIN, weights, "y")))
    picture = np.random.default_rng(2).integers(0, 5, (2, 3, 6, 8)).astype(np.float32)
    (got,) = network(torch.from_numpy(picture))
    padded = np.pad(picture, ((0, 0), (0, 0), (1, 1), (1, 1)))
    want = np.zeros((2, 4, 3, 4))
    for i, j in np.ndindex(3, 4):
        window = padded[:, :, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3]
        want[:, :, i, j] = np.einsum("nchw,hwco->no", window, weights["k"]) + weights["bias"]
    want = np.where(want < 0, 0.1 * want, want)
    np.testing.assert_allclose(got.numpy(), want[:, [1, 2, 3, 0]], rtol=1e-5, atol=1e-4)
    assert (torch.from_numpy(picture) == torch.from_numpy(picture.copy())).all()


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"op": "Einsum"}, "Einsum"),
        ({"op": "Conv2D", "input": ["in", "k"], "attr": {**CONV, "padding": text("SAME")}}, "SAME"),
        ({"op": "ResizeBilinear", "input": ["in", "sizes"], "attr": {}}, "resizes"),
    ],
)
def test_what_is_not_known_is_refused(tmp_path: Path, changed: dict[str, Any], told: str) -> None:
    nodes = [{**node, **changed} if node["name"] == "c" else node for node in CHAIN]
    graph = read_graph(*written(tmp_path, nodes, values(), "y"))
    with pytest.raises(UnknownFormatError, match=told):
        GraphNetwork(graph)


def test_weights_of_another_length_are_refused(tmp_path: Path) -> None:
    topology, weights = written(tmp_path, CHAIN, values(), "y")
    whole = weights.read_bytes()
    for data in (whole[:-1], whole + b"0"):
        weights.write_bytes(data)
        with pytest.raises(UnknownFormatError, match="than their manifest"):
            read_graph(topology, weights)
