"""The columns of tables: named and typed by the pipeline, filled from the rows."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from frameloom.common.pipelines import ArtefactSpec, Row

Kind = Literal["number", "integer", "text"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        name: Its heading.
        path: Where the value stands in a row: keys, and places of a list, between dots.
        kind: What its values are.
    """

    name: str
    path: str
    kind: Kind

    def of(self, row: Row) -> float | int | str | None:
        """The value in a row; None if there is none, or it is of another kind."""
        value: Any = row
        for step in self.path.split("."):
            if isinstance(value, dict):
                value = value.get(step)
            elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
                value = value[int(step)]
            else:
                return None
        return _converted(value, self.kind)


def columns_of(spec: ArtefactSpec) -> list[Column]:
    """The columns in ``options["columns"]``: ``[name, path, kind]`` each."""
    return [Column(name, path, kind) for name, path, kind in spec.options.get("columns", ())]


def _converted(value: Any, kind: Kind) -> float | int | str | None:
    if value is None:
        return None
    if kind == "text":
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if kind == "integer" else float(value)
