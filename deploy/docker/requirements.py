"""Prints what others wrote and the given members need, one requirement per line. Standard library only.

The image installs these in a layer of their own, before any of our code is copied.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
OURS = {"frameloom-common": "libs/common"}


def wanted(members: list[str], root: Path = ROOT) -> list[str]:
    """The third-party requirements of members and of the members that they need, sorted and without doubles.

    Raises:
        KeyError: A member needs one of ours that an image does not contain.
    """
    found: set[str] = set()
    open_members, seen = list(members), set(members)
    while open_members:
        project = tomllib.loads((root / open_members.pop() / "pyproject.toml").read_text(encoding="utf-8"))
        for requirement in project["project"].get("dependencies", []):
            if not requirement.startswith("frameloom-"):
                found.add(requirement)
            elif (member := OURS[requirement]) not in seen:
                seen.add(member)
                open_members.append(member)
    return sorted(found)


if __name__ == "__main__":
    sys.stdout.write("".join(f"{requirement}\n" for requirement in wanted(sys.argv[1:])))
