"""Runs a graph model of TensorFlow.js in torch, any number of pictures at once.

The graph is made into a list of steps when it is loaded: what depends on no input is computed then, padding
and bias go into the convolution they belong to, and layouts are changed by views alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from frameloom.worker.pipelines.persons.tfjs import Graph, Node, UnknownFormatError

Tensor = torch.Tensor
Operation = Callable[..., Any]

_TO_NHWC = (0, 2, 3, 1)
_TO_NCHW = (0, 3, 1, 2)


class GraphNetwork:
    """A loaded graph. Weights are never changed, so one object may serve many videos."""

    def __init__(self, graph: Graph) -> None:
        """Prepares the steps.

        Raises:
            UnknownFormatError: The graph has an operation, or a variant of one, that is not known here.
        """
        self.outputs = graph.outputs
        self._steps = _Compiler(graph).steps()
        # A result is dropped after its last use: the largest ones are the first layers'.
        last = {name: index for index, (_, inputs, _) in enumerate(self._steps) for name in inputs}
        self._done: list[tuple[str, ...]] = [() for _ in self._steps]
        for name, index in last.items():
            if name not in self.outputs:
                self._done[index] = (*self._done[index], name)

    @torch.inference_mode()
    def __call__(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """All outputs for ``float32 [N, 3, height, width]``, in the order of ``outputs``."""
        values: dict[str, Any] = {"": pictures}
        for (operation, inputs, name), done in zip(self._steps, self._done, strict=True):
            values[name] = operation(*(values[key] for key in inputs))
            for key in done:
                del values[key]
        return tuple(values[name] for name in self.outputs)


class _Compiler:
    """Turns nodes into steps: (operation, names of its inputs, name of its result)."""

    def __init__(self, graph: Graph) -> None:
        self._nodes = {node.name: node for node in graph.nodes}
        self._outputs = graph.outputs
        self._uses = Counter(_base(name) for node in graph.nodes for name in node.inputs)
        self._uses.update(graph.outputs)
        self._constants = dict(graph.weights)
        self._steps: list[tuple[Operation, tuple[str, ...], str]] = []
        self._made: set[str] = set()
        self._place: dict[str, str] = {}

    def steps(self) -> list[tuple[Operation, tuple[str, ...], str]]:
        """Every step that an output needs, each after those that it needs itself."""
        for name in self._outputs:
            self._make(name)
        return self._steps

    def _make(self, name: str) -> str:
        """Emits what gives a value; answers the name of the value."""
        if name in self._place:
            return self._place[name]
        base = _base(name)
        node = self._nodes[base]
        if node.op == "Placeholder":
            self._place[name] = ""
        elif node.op in _MANY:
            self._emit_many(node)
        else:
            operation, inputs = self._operation(node)
            self._steps.append((operation, tuple(self._make(key) for key in inputs), base))
            self._place[name] = base
        return self._place[name]

    def _emit_many(self, node: Node) -> None:
        """A split: one step an output."""
        sizes = [int(size) for size in self._constant(node.inputs[1])]
        axis = int(self._constant(node.inputs[2]))
        source = self._make(node.inputs[0])
        start = 0
        for index, size in enumerate(sizes):
            name = f"{node.name}:{index}" if index else node.name
            self._steps.append((partial(torch.narrow, dim=axis, start=start, length=size), (source,), name))
            self._place[name] = name
            start += size

    def _operation(self, node: Node) -> tuple[Operation, tuple[str, ...]]:
        known = getattr(self, f"_{node.op.lower()}", None)
        if known is None:
            raise UnknownFormatError(f"the operation {node.op} of {node.name} is not known here")
        answer: tuple[Operation, tuple[str, ...]] = known(node)
        return answer

    # --- operations, as TensorFlow names them

    def _identity(self, node: Node) -> tuple[Operation, tuple[str, ...]]:
        return _same, node.inputs[:1]

    def _transpose(self, node: Node) -> tuple[Operation, tuple[str, ...]]:
        order = tuple(int(axis) for axis in self._constant(node.inputs[1]))
        return partial(torch.permute, dims=order), node.inputs[:1]

    def _pad(self, node: Node) -> tuple[Operation, tuple[str, ...]]:
        return partial(functional.pad, pad=_torch_padding(self._constant(node.inputs[1]))), node.inputs[:1]

    def _padv2(self, node: Node) -> tuple[Operation, tuple[str, ...]]:
        padding = _torch_padding(self._constant(node.inputs[1]))
        value = float(self._constant(node.inputs[2]))
        return partial(functional.pad, pad=padding, value=value), node.inputs[:1]

    def _conv2d(self, node: Node, bias: Tensor | None = None) -> tuple[Operation, tuple[str, ...]]:
        _expect(node, padding="VALID", data_format="NHWC")
        kernel = torch.from_numpy(self._constant(node.inputs[1])).permute(3, 2, 0, 1)
        source, padding = self._padding_before(node.inputs[0])
        step = partial(
            _convolution, weight=kernel.contiguous(memory_format=torch.channels_last), bias=bias,
            stride=node.integers("strides")[1:3], padding=padding, dilation=node.integers("dilations")[1:3],
        )  # fmt: skip
        return step, (source,)

    def _add(self, node: Node) -> tuple[Operation, tuple[str, ...]]:
        first, second = (self._nodes[_base(name)] for name in node.inputs)
        if second.op == "Const":
            value = torch.from_numpy(self._constant(second.name))
            if first.op == "Conv2D" and value.ndim == 1 and self._uses[first.name] == 1:
                return self._conv2d(first, bias=value)
            return partial(torch.add, other=value), (first.name,)
        return torch.add, node.inputs

    _addv2 = _add

    def _leakyrelu(self, node: Node) -> tuple[Operation, tuple[str, ...]]:
        slope = node.number("alpha", 0.2)
        # In place where nobody else looks at the input: it is as large as the output.
        in_place = self._only_mine(node.inputs[0])
        return partial(functional.leaky_relu, negative_slope=slope, inplace=in_place), node.inputs

    def _sigmoid(self, node: Node) -> tuple[Operation, tuple[str, ...]]:
        return torch.sigmoid, node.inputs

    def _maxpool(self, node: Node) -> tuple[Operation, tuple[str, ...]]:
        _expect(node, padding="VALID", data_format="NHWC")
        size, stride = node.integers("ksize")[1:3], node.integers("strides")[1:3]
        return partial(_max_pool, size=size, stride=stride), node.inputs

    def _concatv2(self, node: Node) -> tuple[Operation, tuple[str, ...]]:
        *parts, axis = node.inputs
        return partial(_concatenate, dim=int(self._constant(axis))), tuple(parts)

    def _resizebilinear(self, node: Node) -> tuple[Operation, tuple[str, ...]]:
        if not node.flag("half_pixel_centers") or node.flag("align_corners"):
            raise UnknownFormatError(f"the way in which {node.name} resizes is not known here")
        size = tuple(int(side) for side in self._constant(node.inputs[1]))
        return partial(_resize, size=size), node.inputs[:1]

    def _reshape(self, node: Node) -> tuple[Operation, tuple[str, ...]]:
        # The graph was written for one picture; its shapes say so in the first place only.
        shape = tuple(int(side) for side in self._constant(node.inputs[1]))
        if shape[0] != 1:
            raise UnknownFormatError(f"{node.name} mixes the pictures of a batch")
        return partial(_reshaped, shape=shape[1:]), node.inputs[:1]

    # --- helpers

    def _only_mine(self, name: str) -> bool:
        """Whether a value is used once, and does not share its memory with one that is used elsewhere."""
        node = self._nodes[_base(name)]
        while node.op in {"Transpose", "Identity"} and self._uses[node.name] == 1:
            node = self._nodes[_base(node.inputs[0])]
        return node.op in {"Conv2D", "Add", "AddV2"} and self._uses[node.name] == 1

    def _padding_before(self, name: str) -> tuple[str, tuple[int, int]]:
        """Zeros around the picture, where they stand just before the change of layout: (source, zeros)."""
        change = self._nodes[_base(name)]
        if change.op != "Transpose" or self._uses[change.name] != 1:
            return name, (0, 0)
        pad = self._nodes[_base(change.inputs[0])]
        if pad.op != "Pad" or tuple(self._constant(change.inputs[1])) != _TO_NHWC:
            return name, (0, 0)
        zeros = np.asarray(self._constant(pad.inputs[1]))
        if self._uses[pad.name] != 1 or zeros[:2].any() or (zeros[:, 0] != zeros[:, 1]).any():
            return name, (0, 0)
        inner = Node(change.name, "Transpose", (pad.inputs[0], change.inputs[1]), {})
        self._nodes[change.name] = inner
        return change.name, (int(zeros[2, 0]), int(zeros[3, 0]))

    def _constant(self, name: str) -> Any:
        """A value that depends on no input."""
        base = _base(name)
        if base in self._constants:
            return self._constants[base]
        node = self._nodes[base]
        values = [self._constant(key) for key in node.inputs]
        if node.op in {"Add", "AddV2"}:
            value = values[0] + values[1]
        elif node.op == "SparseToDense":
            places, size, filling, default = values
            value = np.full(size, default)
            if len(places):
                value[tuple(np.asarray(places).T)] = filling
        else:
            raise UnknownFormatError(f"{node.name} ({node.op}) was expected to be a constant")
        self._constants[base] = value
        return value


_MANY = {"SplitV"}


def _base(name: str) -> str:
    return name.split(":", 1)[0]


def _expect(node: Node, **texts: str) -> None:
    for key, value in texts.items():
        if node.text(key) != value:
            raise UnknownFormatError(f"{node.name} has {key} {node.text(key)}, only {value} is known here")


def _torch_padding(pairs: Any) -> tuple[int, ...]:
    """TensorFlow pads (before, after) from the first axis on, torch from the last one back."""
    return tuple(int(value) for before_after in np.asarray(pairs)[::-1] for value in before_after)


def _same(value: Tensor) -> Tensor:
    return value


def _convolution(picture: Tensor, **how: Any) -> Tensor:
    """NHWC in and out, as the graph has it; torch wants NCHW, which is a view of the same memory."""
    return functional.conv2d(picture.permute(_TO_NCHW), **how).permute(_TO_NHWC)


def _max_pool(picture: Tensor, *, size: tuple[int, ...], stride: tuple[int, ...]) -> Tensor:
    pooled = functional.max_pool2d(picture.permute(_TO_NCHW), list(size), list(stride))
    return pooled.permute(_TO_NHWC)


def _resize(picture: Tensor, *, size: tuple[int, ...]) -> Tensor:
    resized = functional.interpolate(
        picture.permute(_TO_NCHW), list(size), mode="bilinear", align_corners=False
    )
    return resized.permute(_TO_NHWC)


def _concatenate(*parts: Tensor, dim: int) -> Tensor:
    return torch.cat(parts, dim)


def _reshaped(value: Tensor, *, shape: tuple[int, ...]) -> Tensor:
    return value.reshape(value.shape[0], *shape)
