"""The table of metrics in docs/operations.md, from the gateway's own list.

python tools/metrics_table.py           # prints the table
python tools/metrics_table.py --write   # puts it into the page
"""

from __future__ import annotations

import sys
from pathlib import Path

from frameloom.gateway.services.metrics import CATALOGUE, Metric

PAGE = Path(__file__).parents[1] / "docs" / "operations.md"
BEGIN = "<!-- metrics: written by tools/metrics_table.py -->"
END = "<!-- end of metrics -->"


def table() -> str:
    """The rows, in the order of the list."""
    head = ["| metric | kind | of | labels | what |", "| --- | --- | --- | --- | --- |"]
    return "\n".join([*head, *(_row(metric) for metric in CATALOGUE)])


def _row(metric: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    of = "the fleet" if metric.fleet else "the gateway"
    return f"| `{metric.name}` | {metric.kind} | {of} | {labels} | {metric.help} |"


def main(arguments: list[str]) -> int:
    """Runs the command."""
    if arguments != ["--write"]:
        print(table())
        return 0
    head, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not end:
        print(f"{PAGE} lacks the two marks around the table", file=sys.stderr)
        return 1
    PAGE.write_text(f"{head}{BEGIN}\n\n{table()}\n\n{END}{tail}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
