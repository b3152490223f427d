"""Figures with what is wanted of them, as a table; the exit code tells whether all were met."""

from __future__ import annotations

import sys


class Judged:
    """Prints one line per figure and remembers those that fall short."""

    def __init__(self) -> None:
        self._short: list[str] = []

    def head(self, title: str) -> None:
        """A new table."""
        print(f"\n{title}\n{'':<46} {'measured':>9}  {'wanted':>9}")

    def at_least(self, what: str, value: float, wanted: float, unit: str = "") -> None:
        """Larger is better."""
        self._line(what, value, f">= {wanted:g}", unit, good=value >= wanted)

    def at_most(self, what: str, value: float, wanted: float, unit: str = "") -> None:
        """Smaller is better."""
        self._line(what, value, f"<= {wanted:g}", unit, good=value <= wanted)

    def told(self, what: str, value: float, unit: str = "") -> None:
        """A figure of which nothing is wanted, such as a speed."""
        self._line(what, value, "", unit, good=True)

    def end(self) -> int:
        """Names what fell short; 0 if nothing did."""
        for what in self._short:
            print(f"below what is wanted: {what}", file=sys.stderr)
        return 1 if self._short else 0

    def _line(self, what: str, value: float, wanted: str, unit: str, *, good: bool) -> None:
        print(f"{what:<46} {value:>9.4g}  {wanted:>9}  {unit}{'' if good else '  BELOW'}", flush=True)
        if not good:
            self._short.append(what)
