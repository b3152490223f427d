"""The table of direct Python dependencies in docs/licences.md, from the metadata of what is installed.

    python tools/licences.py           # prints the table
    python tools/licences.py --write   # puts it into the page

Standard library only.
"""

from __future__ import annotations

import importlib.metadata
import re
import sys
import tomllib
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "licences.md"
BEGIN = "<!-- python dependencies: written by tools/licences.py -->"
END = "<!-- end of python dependencies -->"
_READ_BY_HAND = {
    "nvidia-dali-cuda120": "Apache License 2.0",
    "nvidia-dali-cuda130": "Apache License 2.0",
    "opensmile": "audEERING: research and evaluation only",
}
"""Of extras that are never installed where the table is made."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def normalised(name: str) -> str:
    """A distribution's name as the packaging rules compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def direct_dependencies(root: Path = ROOT) -> dict[str, set[str]]:
    """Each third-party distribution that a member names, and the members (with the extra) that do."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in sorted([*root.glob("libs/*/pyproject.toml"), *root.glob("services/*/pyproject.toml")]):
        project = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
        groups = {project["name"]: project.get("dependencies", [])}
        for extra, requirements in project.get("optional-dependencies", {}).items():
            groups[f"{project['name']}[{extra}]"] = requirements
        for group, requirements in groups.items():
            for requirement in requirements:
                match = _NAME.match(requirement)
                if match and not match[0].startswith("frameloom-"):
                    found[normalised(match[0])].add(group)
    return dict(found)


def licence(name: str) -> str:
    """What a distribution says of its licence: the expression, else the field, else the classifiers."""
    try:
        metadata = importlib.metadata.metadata(name)
    except importlib.metadata.PackageNotFoundError:
        return _READ_BY_HAND.get(name, "not installed where this table was made")
    for field in ("License-Expression", "License"):
        value = "".join(metadata.get_all(field) or [])
        if value and "\n" not in value:
            return value
    classifiers = [line for line in metadata.get_all("Classifier") or [] if line.startswith("License ::")]
    return ", ".join(line.rpartition(" :: ")[2] for line in classifiers) or "not stated"


def table() -> str:
    """The table, in Markdown."""
    lines = ["| distribution | licence, as its metadata states it | needed by |", "| --- | --- | --- |"]
    for name, groups in sorted(direct_dependencies().items()):
        lines.append(f"| {name} | {licence(name)} | {', '.join(sorted(groups))} |")
    return "\n".join(lines)


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
