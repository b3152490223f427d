"""Tables in a terminal, and the raw figures in a file."""

from __future__ import annotations

import argparse
import json
import math
import statistics
from collections.abc import Sequence
from pathlib import Path

Cell = str | float | int | None


def arguments(description: str | None) -> argparse.ArgumentParser:
    """A parser with the options that all benchmarks have."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--json", type=Path, default=None, metavar="FILE", help="write the raw figures here")
    parser.add_argument(
        "--temp", type=Path, default=None, metavar="DIR", help="where the stack's temporary folder is made"
    )
    return parser


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """Prints a table: first column to the left, the others to the right."""
    cells = [[shown(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in [list(head), *cells]) for i in range(len(head))]
    print(f"\n{title}")
    for row in [list(head), ["-" * width for width in widths], *cells]:
        rest = (cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
        print("  ".join([row[0].ljust(widths[0]), *rest]).rstrip())


def shown(cell: Cell) -> str:
    """A cell's text: three significant digits, but no fewer than the integer part has."""
    if cell is None:
        return "-"
    if isinstance(cell, str | int):
        return str(cell)
    if cell == 0 or not math.isfinite(cell):
        return f"{cell:g}"
    digits = max(0, 2 - math.floor(math.log10(abs(cell))))
    return f"{cell:.{min(digits, 3)}f}"


def median(values: Sequence[float]) -> float:
    """The median; NaN of nothing."""
    return statistics.median(values) if values else math.nan


def percentile(values: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile: a value that was really seen; NaN of nothing."""
    if not values:
        return math.nan
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


def write_json(path: Path | None, figures: dict[str, object]) -> None:
    """Writes the raw figures, if a file was named."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(figures, indent=1, default=str) + "\n", encoding="utf-8")
        print(f"\nraw figures: {path}")
