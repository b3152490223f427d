"""The tables of settings are those of the schemas, and the page of the API names what there is."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from frameloom.common.registry import SHARED_KEYS, registry

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "api" / "pipelines.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def tables() -> ModuleType:
    spec = importlib.util.spec_from_file_location("pipeline_tables", ROOT / "tools" / "pipeline_tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_tables_are_up_to_date(tables: ModuleType) -> None:
    for path, told in tables.pages().items():
        text = path.read_text(encoding="utf-8")
        between = text.partition(tables.BEGIN)[2].partition(tables.END)[0]
        assert between.strip() == told.strip(), "run: python tools/pipeline_tables.py --write"


def test_every_key_has_a_row(tables: ModuleType) -> None:
    told = tables.catalogue()
    for info in registry().values():
        section = told.partition(f"### {info.name}\n")[2].partition("\n### ")[0]
        for key in info.config_schema["properties"]:
            assert f"| `{key}` |" in section


def test_the_page_names_the_keys_that_are_checked_everywhere() -> None:
    for key in SHARED_KEYS:
        assert f"`{key}`" in PAGE
