"""The pipelines that everybody knows of, also before a worker has offered one: VideoAnnotator's nine.

The facts are data, one JSON file a pipeline under ``entries``: the fields of a :class:`PipelineInfo`, the
configuration as a JSON schema (2020-12). What a worker offers wins over the entry of the same name; see
:func:`merged`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from frameloom.common.pipelines import PipelineInfo
from frameloom.common.registry.names import FAMILY_ORDER, Names, normalised

__all__ = ["DEFAULT_PIPELINES", "FAMILY_ORDER", "SHARED_KEYS", "Names", "merged", "normalised", "registry"]

DEFAULT_PIPELINES = ("scene_detection", "person_tracking")
"""What runs when a client names none, as in VideoAnnotator."""
SHARED_KEYS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "confidence_threshold": {"type": "number", "minimum": 0, "maximum": 1},
        "iou_threshold": {"type": "number", "minimum": 0, "maximum": 1},
        "threshold": {"type": "number", "minimum": 0, "maximum": 100},
        "max_persons": {"type": "integer", "minimum": 1, "maximum": 100},
        "max_faces": {"type": "integer", "minimum": 1, "maximum": 100},
        "pps": {"type": "number", "exclusiveMinimum": 0, "maximum": 240},
    }
)
"""Keys with one meaning everywhere, which VideoAnnotator checks for pipelines that do not have them too."""
_VERSION = "registry"


@cache
def registry() -> Mapping[str, PipelineInfo]:
    """The built-in entries by name, in order of their names."""
    folder = files(__package__) / "entries"
    found = [json.loads(file.read_text("utf-8")) for file in folder.iterdir() if file.name.endswith(".json")]
    infos = [PipelineInfo.model_validate({**entry, "version": _VERSION}) for entry in found]
    return MappingProxyType({info.name: info for info in sorted(infos, key=lambda info: info.name)})


def merged(offered: PipelineInfo) -> PipelineInfo:
    """What a worker offers, completed from the registry's entry of the same name.

    The offer wins. A key of the registry that its schema lacks can not be honoured: it is kept, so that
    clients which send every key pass, but with its default as the only value.
    """
    known = registry().get(offered.name)
    if known is None:
        return offered
    schema = offered.config_schema
    own = schema.get("properties", {})
    missing = {key: _fixed(part) for key, part in known.config_schema["properties"].items() if key not in own}
    if not missing:
        return offered
    return offered.model_copy(update={"config_schema": {**schema, "properties": {**own, **missing}}})


def _fixed(part: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a key that has no meaning here."""
    shown = {key: part[key] for key in ("type", "default") if key in part}
    if "properties" in part:
        shown["properties"] = {key: _fixed(inner) for key, inner in part["properties"].items()}
    else:
        shown["const"] = part["default"]
    told = f"{part['description']} Not a setting of the pipeline that workers run here."
    return {**shown, "description": told}
