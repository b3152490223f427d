"""Every test that the docs name as a proof exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
_CODED = re.compile(r"`([A-Za-z_]\w*)`")


@cache
def defined() -> frozenset[str]:
    """The names of all functions and methods in the tests."""
    patterns = ("tests/**/*.py", "libs/*/tests/**/*.py", "services/*/tests/**/*.py")
    files = [path for pattern in patterns for path in ROOT.glob(pattern)]
    return frozenset(
        node.name
        for path in files
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def proofs(text: str) -> list[list[str]]:
    """For each row of each table whose last column is "shown by": the names in that column."""
    found: list[list[str]] = []
    inside = False
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|"):
            inside = False
        elif cells[-1] == "shown by":
            inside = True
        elif inside and set(cells[-1]) - {"-", " ", ":"}:
            found.append(_CODED.findall(cells[-1]))
    return found


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_test_that_is_named_exists(path: Path) -> None:
    named = {name for name in _CODED.findall(path.read_text(encoding="utf-8")) if name.startswith("test_")}
    assert named - defined() == set()


@pytest.mark.parametrize("name", ["README.md", "docs/reliability.md"])
def test_every_part_of_the_promise_has_a_proof(name: str) -> None:
    rows = proofs((ROOT / name).read_text(encoding="utf-8"))
    assert len(rows) >= 4
    for row in rows:
        assert row, "a promise without a test"
        assert set(row) <= defined(), row


def test_the_parts_of_the_promise_are_the_same_in_both_places() -> None:
    for part in (
        "accepted job is never lost",
        "task runs at least once",
        "exactly one result per task becomes visible",
    ):
        for name in ("README.md", "docs/reliability.md"):
            assert part in (ROOT / name).read_text(encoding="utf-8").lower()
