"""Scores by name from an embedding: one small network a name, all in one safetensors file.

The tensors of a head are called ``<name>/<place>.weight`` (``[outputs, inputs]``) and
``<name>/<place>.bias``; the layers follow each other by rising place, with a ReLU between two, and the last
one has a single output.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from frameloom.worker.models.store import ModelStore
from frameloom.worker.pipelines.supplied import unfit

Numbers = npt.NDArray[np.float32]

_WEIGHT, _BIAS = ".weight", ".bias"


@dataclass(frozen=True, slots=True)
class Score:
    """What a head says.

    Attributes:
        raw: Its output.
        share: Softmax over all heads.
        rank: 1 for the highest.
    """

    raw: float
    share: float
    rank: int


class Heads:
    """All heads of a file. The weights stay in the file, mapped into memory; they may be many gigabytes."""

    def __init__(self, name: str, path: Path) -> None:
        """Looks at the names and shapes.

        Raises:
            ModelUnavailableError: The file is not what is described above.
        """
        from safetensors import SafetensorError, safe_open  # noqa: PLC0415 - only for supplied weights

        self._name = name
        try:
            file: Any = safe_open(str(path), framework="np")
            self._file = file
            self._layers = _layers(list(file.keys()))
            self._inputs = self._checked()
        except (SafetensorError, ValueError) as error:
            raise unfit(name, str(error).rstrip(".")) from None

    @property
    def names(self) -> tuple[str, ...]:
        """Of the heads, sorted."""
        return tuple(self._layers)

    @property
    def inputs(self) -> int:
        """Length of the embedding that they take."""
        return self._inputs

    def raw(self, embeddings: Numbers) -> Numbers:
        """Outputs ``[N, heads]`` of embeddings ``[N, inputs]``."""
        if embeddings.shape[1] != self._inputs:
            raise unfit(self._name, f"its heads take {self._inputs} numbers, and get {embeddings.shape[1]}")
        return np.concatenate([self._head(layers, embeddings) for layers in self._layers.values()], axis=1)

    def _head(self, layers: Sequence[str], x: Numbers) -> Numbers:
        for place, layer in enumerate(layers):
            weight, bias = (self._file.get_tensor(layer + part) for part in (_WEIGHT, _BIAS))
            x = x @ np.asarray(weight, np.float32).T + np.asarray(bias, np.float32)
            if place + 1 < len(layers):
                x = np.maximum(x, 0.0)
        return x

    def _checked(self) -> int:
        taken: set[int] = set()
        for name, layers in self._layers.items():
            width = None
            for layer in layers:
                shape = self._file.get_slice(layer + _WEIGHT).get_shape()
                if self._file.get_slice(layer + _WEIGHT).get_dtype() not in {"F16", "F32", "F64"}:
                    raise ValueError(f"{layer}{_WEIGHT} is neither F16 nor F32")
                if len(shape) != 2 or (width is not None and shape[1] != width):
                    raise ValueError(f"{layer}{_WEIGHT} has the shape {shape}, which does not follow")
                if self._file.get_slice(layer + _BIAS).get_shape() != [shape[0]]:
                    raise ValueError(f"{layer}{_BIAS} is not as long as its weight")
                if width is None:
                    taken.add(shape[1])
                width = shape[0]
            if width != 1:
                raise ValueError(f"the last layer of {name} has {width} outputs, not one")
        if len(taken) != 1:
            raise ValueError(f"its heads take {len(taken)} different lengths of embeddings")
        return taken.pop()


def scores(names: Sequence[str], raw: Numbers) -> dict[str, Score]:
    """The scores of one embedding, the highest first."""
    powers = np.exp(np.float64(raw) - raw.max())
    shares = powers / powers.sum()
    order = np.argsort(-raw, kind="stable")
    return {
        names[place]: Score(float(raw[place]), float(shares[place]), rank)
        for rank, place in enumerate(order, start=1)
    }


def heads(models: ModelStore, name: str) -> Heads:
    """The heads in a file of the store, opened once per process."""
    return models.load(name, _Loader(name), options=name)


@dataclass(frozen=True)
class _Loader:
    """A function that knows the name of what it loads, and equals another of the same name."""

    name: str

    def __call__(self, path: Path) -> Heads:
        return Heads(self.name, path)


def _layers(keys: list[str]) -> dict[str, list[str]]:
    found: dict[str, dict[int, str]] = {}
    for key in sorted(keys):
        name, slash, rest = key.rpartition("/")
        place, _, part = rest.partition(".")
        if not (slash and name and place.isdigit() and f".{part}" in (_WEIGHT, _BIAS)):
            raise ValueError(f"{key} is not called as a tensor of a head")
        found.setdefault(name, {})[int(place)] = f"{name}/{place}"
    if not found:
        raise ValueError("it has no tensors")
    for layers in found.values():
        for layer in layers.values():
            if not {layer + _WEIGHT, layer + _BIAS} <= set(keys):
                raise ValueError(f"{layer} lacks its weight or its bias")
    return {name: [layers[place] for place in sorted(layers)] for name, layers in sorted(found.items())}
