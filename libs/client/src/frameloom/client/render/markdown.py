"""Tables as Markdown, for a wiki or a README."""

from __future__ import annotations

from collections.abc import Iterable

from frameloom.client.models import Pipeline
from frameloom.client.render.output import shown

_COLUMNS = (
    "Name",
    "Display Name",
    "Family",
    "Variant",
    "Tasks",
    "Modalities",
    "Capabilities",
    "Backends",
    "Outputs",
)


def pipelines_markdown(pipelines: Iterable[Pipeline]) -> list[str]:
    """The lines of a table of pipelines, by name, with the columns that VideoAnnotator's has."""
    rows = [
        (
            one.name,
            one.display_name or one.name,
            one.pipeline_family or "-",
            one.variant or "-",
            ",".join(one.tasks) or "-",
            ",".join(one.modalities) or "-",
            ",".join(one.capabilities) or "-",
            ",".join(one.backends) or "-",
            ";".join(_output(output) for output in one.outputs),
        )
        for one in sorted(pipelines, key=lambda one: one.name)
    ]
    return [_row(_COLUMNS), _row(["---"] * len(_COLUMNS)), *(_row(row) for row in rows)]


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(shown(cell).replace('|', '&#124;') for cell in cells)} |"


def _output(output: dict[str, object]) -> str:
    types = output.get("types")
    return f"{output.get('format', '')}:{'/'.join(map(str, types)) if isinstance(types, list) else ''}"
