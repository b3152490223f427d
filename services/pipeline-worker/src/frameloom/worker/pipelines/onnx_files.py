"""ONNX networks that operators supply: what goes in and comes out is looked at before the first frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from frameloom.worker import runtime
from frameloom.worker.models.store import ModelStore
from frameloom.worker.pipelines.supplied import unfit

Numbers = npt.NDArray[np.float32]


class Network:
    """A network with one input ``float32 [N, …]`` and named outputs ``[N, …]``.

    Attributes:
        shape: Of the input, as the file states it: numbers, and None where any length will do.
        outputs: Names.
        notes: What the file says of itself (its custom metadata).
    """

    def __init__(self, name: str, path: Path) -> None:
        """Opens the file.

        Raises:
            ModelUnavailableError: It is no ONNX file, or has not one float input.
        """
        self._name = name
        try:
            self._session: Any = runtime.onnx_session(path)
        except Exception as error:  # noqa: BLE001 - the runtime has exceptions of its own for everything
            raise unfit(name, f"ONNX Runtime can not open it ({type(error).__name__})") from None
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or inputs[0].type != "tensor(float)":
            raise unfit(name, "it must have one input of 32-bit floats")
        self._input = inputs[0].name
        self.shape = tuple(side if isinstance(side, int) else None for side in inputs[0].shape)
        self.outputs = tuple(output.name for output in self._session.get_outputs())
        self.notes: Mapping[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)

    def run(self, x: Numbers, names: Sequence[str]) -> dict[str, Numbers]:
        """Outputs by name, for any number of items; the file's own batch size is kept to.

        Raises:
            ModelUnavailableError: The network refuses what its description says it takes.
        """
        size = self.shape[0] or max(1, len(x))
        parts = [self._batch(x[begin : begin + size], size, names) for begin in range(0, len(x), size)]
        return {name: np.concatenate([part[name] for part in parts]) for name in names}

    def _batch(self, x: Numbers, size: int, names: Sequence[str]) -> dict[str, Numbers]:
        count = len(x)
        if self.shape[0] and count < size:
            x = np.concatenate([x, np.zeros((size - count, *x.shape[1:]), np.float32)])
        try:
            found = self._session.run(list(names), {self._input: np.ascontiguousarray(x, np.float32)})
        except Exception as error:  # noqa: BLE001 - as above
            raise unfit(self._name, f"ONNX Runtime can not run it ({type(error).__name__})") from None
        for name, values in zip(names, found, strict=True):
            if values.shape[:1] != (len(x),):
                raise unfit(self._name, f"its output {name} has the shape {values.shape} for {len(x)} items")
        return {name: np.asarray(v[:count], np.float32) for name, v in zip(names, found, strict=True)}


def network(models: ModelStore, name: str) -> Network:
    """A network of the store, opened once per process."""
    return models.load(name, _Loader(name), options=name)


def picture_side(name: str, found: Network, default: int) -> int:
    """The side of the square pictures ``[N, 3, side, side]`` that a network takes.

    Raises:
        ModelUnavailableError: It takes something else.
    """
    if len(found.shape) != 4 or found.shape[1] not in {3, None} or found.shape[2] != found.shape[3]:
        raise unfit(name, f"its input is {list(found.shape)}, not pictures [N, 3, side, side]")
    return found.shape[2] or default


def normal(found: Network, mean: Sequence[float], spread: Sequence[float]) -> tuple[Numbers, Numbers]:
    """Mean and spread of the colours, by the file's ``mean`` and ``std`` where it states them."""

    def stated(key: str, default: Sequence[float]) -> Numbers:
        try:
            values = [float(word) for word in found.notes[key].split(",")]
        except (KeyError, ValueError):
            values = []
        chosen = values if len(values) == 3 else default
        return np.array(chosen, np.float32)

    return stated("mean", mean), stated("std", spread)


@dataclass(frozen=True)
class _Loader:
    """A function that knows the name of what it loads, and equals another of the same name."""

    name: str

    def __call__(self, path: Path) -> Network:
        return Network(self.name, path)
