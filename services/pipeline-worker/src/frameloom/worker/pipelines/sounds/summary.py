"""What a whole file's figures come to, in one pass over its rows. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from frameloom.common.pipelines import Row
from frameloom.worker.pipelines.sounds.figures import told


class Summary:
    """Count, mean, deviation and limits of each figure, in one pass."""

    def __init__(self, columns: Sequence[tuple[str, str, str]]) -> None:
        self._places = [(name, path.split(".")) for name, path, _ in columns if name != "time"]
        self._count = np.zeros(len(self._places), np.int64)
        self._mean, self._squares = np.zeros(len(self._places)), np.zeros(len(self._places))
        self._least = np.full(len(self._places), np.inf)
        self._most = np.full(len(self._places), -np.inf)
        self._frames = 0

    def add(self, found: Sequence[Row]) -> None:
        """Takes some rows; figures that are not there do not count."""
        self._frames += len(found)
        values = np.array([[_value(row, path) for _, path in self._places] for row in found], np.float64)
        if not values.size:
            return
        there = np.isfinite(values)
        filled = np.where(there, values, 0.0)
        count = there.sum(axis=0)
        mean = filled.sum(axis=0) / np.maximum(count, 1)
        squares = np.where(there, (filled - mean) ** 2, 0.0).sum(axis=0)
        both = np.maximum(self._count + count, 1)
        apart = mean - self._mean
        self._squares += squares + apart**2 * self._count * count / both
        self._mean += apart * count / both
        self._count += count
        self._least = np.minimum(self._least, np.where(there, values, np.inf).min(axis=0))
        self._most = np.maximum(self._most, np.where(there, values, -np.inf).max(axis=0))

    def rows(self) -> list[Row]:
        """One row per figure."""
        deviation = np.sqrt(self._squares / np.maximum(self._count, 1))
        return [
            {
                "figure": name,
                "frames": int(self._count[place]),
                "share": round(int(self._count[place]) / max(self._frames, 1), 4),
                **{
                    word: told(values[place]) if self._count[place] else None
                    for word, values in (
                        ("mean", self._mean),
                        ("deviation", deviation),
                        ("least", self._least),
                        ("most", self._most),
                    )
                },
            }
            for place, (name, _) in enumerate(self._places)
        ]


def _value(row: Row, path: Sequence[str]) -> float:
    value = row.get(path[0])
    if len(path) > 1 and value is not None:
        value = value[int(path[1])]
    return float("nan") if value is None else float(value)
