"""Configuration schemas as clients read them: per key as VideoAnnotator shows them, or a list for a form."""

from __future__ import annotations

from typing import Any

_MAX_DEPTH = 32
_SHOWN = (
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "enum",
    "const",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "items",
)
_TYPE_WORDS = {"number": "float"}
_STEPS = {"integer": 1}

Schema = dict[str, Any]


def per_key(schema: Schema) -> dict[str, Schema]:
    """A JSON schema in VideoAnnotator's form: ``{key: {type, default, description, minimum…}}``."""
    defs = schema.get("$defs", {})
    return {key: _key(part, defs) for key, part in schema.get("properties", {}).items()}


def parameters(schema: Schema) -> list[Schema]:
    """A JSON schema as a list for a form: ``{name, type, label, default, min, max, enum, options…}``.

    The words are those that VideoAnnotator's viewer reads: ``type`` is ``enum`` where there is a choice, and
    ``enum`` then has a ``value`` and a ``label`` each.
    """
    defs = schema.get("$defs", {})
    required = set(schema.get("required", ()))
    return [
        _parameter(key, flat(part, defs), defs, required=key in required)
        for key, part in schema.get("properties", {}).items()
    ]


def flat(part: Schema, defs: Schema, depth: int = 0) -> Schema:
    """A property with its references resolved, and ``X | None`` as X with a mark ``nullable``."""
    part = dict(part)
    if depth > _MAX_DEPTH:
        return part
    if "$ref" in part:
        target = defs.get(part.pop("$ref").rsplit("/", 1)[-1], {})
        return flat({**target, **part}, defs, depth + 1)
    for word in ("anyOf", "oneOf", "allOf"):
        options = part.get(word)
        if not options:
            continue
        real = [option for option in options if option.get("type") != "null"]
        if len(real) == 1:
            del part[word]
            inner = flat(real[0], defs, depth + 1)
            return {**inner, **part, **({"nullable": True} if len(real) < len(options) else {})}
    if isinstance(part.get("type"), list):
        kinds = [kind for kind in part["type"] if kind != "null"]
        if len(kinds) == 1:
            part |= {"type": kinds[0], **({"nullable": True} if len(kinds) < len(part["type"]) else {})}
    return part


def label(name: str) -> str:
    """A key as a form shows it."""
    return name.replace("_", " ").capitalize()


def _kind(whole: Schema) -> str:
    kind = whole.get("type")
    if isinstance(kind, str):
        return kind
    return "string" if "enum" in whole else "object" if "properties" in whole else "any"


def _key(part: Schema, defs: Schema) -> Schema:
    whole = flat(part, defs)
    kind = _kind(whole)
    shown: Schema = {
        "type": _TYPE_WORDS.get(kind, kind),
        "default": whole.get("default"),
        "description": whole.get("description", whole.get("title", "")),
    }
    shown |= {name: whole[name] for name in _SHOWN if name in whole}
    if "properties" in whole:
        shown["properties"] = {name: _key(inner, defs) for name, inner in whole["properties"].items()}
    if whole.get("nullable"):
        shown["nullable"] = True
    return shown


def _parameter(name: str, whole: Schema, defs: Schema, *, required: bool) -> Schema:
    choice = whole["enum"] if "enum" in whole else [whole["const"]] if "const" in whole else None
    shown: Schema = {
        "name": name,
        "type": _kind(whole) if choice is None else "enum",
        "label": label(name),
        "description": whole.get("description", ""),
        "required": required,
        "default": whole.get("default"),
        "nullable": bool(whole.get("nullable")),
        "min": whole.get("minimum", whole.get("exclusiveMinimum")),
        "max": whole.get("maximum", whole.get("exclusiveMaximum")),
        "exclusive_min": "exclusiveMinimum" in whole or None,
        "exclusive_max": "exclusiveMaximum" in whole or None,
        "step": _STEPS.get(_kind(whole)),
        "pattern": whole.get("pattern"),
        "max_length": whole.get("maxLength"),
    }
    if choice is not None:
        shown["options"] = choice
        shown["enum"] = [{"value": value, "label": _said(value)} for value in choice]
    if "properties" in whole:
        inner = {"properties": whole["properties"], "required": whole.get("required", ()), "$defs": defs}
        shown["properties"] = parameters(inner)
    return shown


def _said(value: Any) -> str:
    return value if isinstance(value, str) else str(value).lower()
