"""Tiny networks as an operator would bring them: real ONNX and safetensors files, run by the real code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file


def constant(name: str, values: np.ndarray) -> onnx.TensorProto:
    return numpy_helper.from_array(values.astype(np.float32), name)


def picture_network(
    path: Path,
    outputs: dict[str, tuple[int, ...]],
    *,
    side: int = 32,
    batch: int | str = "n",
    metadata: dict[str, str] | None = None,
) -> Path:
    """Mean of each colour, then one layer per output: ``weight[c, i] = (c + 1) * (i + 1) / 10``."""
    nodes = [helper.make_node("ReduceMean", ["x"], ["means"], axes=[2, 3], keepdims=0)]
    weights, declared = [], []
    for name, shape in outputs.items():
        count = int(np.prod(shape))
        table = np.outer(np.arange(1, 4), np.arange(1, count + 1)) / 10
        weights += [
            constant(f"{name}_w", table),
            numpy_helper.from_array(np.array([-1, *shape]), f"{name}_s"),
        ]
        nodes += [
            helper.make_node("MatMul", ["means", f"{name}_w"], [f"{name}_flat"]),
            helper.make_node("Reshape", [f"{name}_flat", f"{name}_s"], [name]),
        ]
        declared.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, *shape]))
    taken = helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 3, side, side])
    return saved(path, nodes, [taken], declared, weights, metadata)


def sound_network(path: Path, *, frames: int = 3000, length: int = 4) -> Path:
    """Mean over time of the first bands, ``[1, 80, 3000]`` to ``[1, 1, length]``."""
    nodes = [
        helper.make_node("Slice", ["x", "starts", "ends", "axes"], ["bands"]),
        helper.make_node("ReduceMean", ["bands"], ["y"], axes=[2], keepdims=1),
    ]
    weights = [
        numpy_helper.from_array(np.array([value], np.int64), name)
        for name, value in (("starts", 0), ("ends", length), ("axes", 1))
    ]
    taken = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 80, frames])
    given = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, length, 1])
    return saved(path, nodes, [taken], [given], weights, None)


def saved(
    path: Path,
    nodes: list[onnx.NodeProto],
    inputs: list[onnx.ValueInfoProto],
    outputs: list[onnx.ValueInfoProto],
    weights: list[onnx.TensorProto],
    metadata: dict[str, str] | None,
) -> Path:
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(model, metadata or {})
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


def head_file(path: Path, names: tuple[str, ...], inputs: int, *, hidden: int = 3) -> Path:
    """Two layers a head; the second head's output is the negative of the first one's, and so on."""
    tensors: dict[str, np.ndarray] = {}
    for place, name in enumerate(names):
        sign = 1 - 2 * (place % 2)
        tensors[f"{name}/0.weight"] = np.full((hidden, inputs), 0.5, np.float16)
        tensors[f"{name}/0.bias"] = np.full(hidden, 5.0, np.float32)
        tensors[f"{name}/3.weight"] = np.full((1, hidden), sign * (place + 1.0), np.float32)
        tensors[f"{name}/3.bias"] = np.zeros(1, np.float32)
    save_file(tensors, str(path))
    return path
