"""A job's configuration: read from JSON, held against the pipelines' schemas, shown per key."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

from frameloom.common.documents import PipelineOffer
from frameloom.common.machines.job import config_of
from frameloom.gateway.errors import InvalidConfigError, InvalidRequestError

_MAX_DEPTH = 32
_INT64 = 2**63
_MAX_PROBLEMS = 100
_HINTS = {
    "minimum": "Use {limit} or more.",
    "maximum": "Use {limit} or less.",
    "exclusiveMinimum": "Use more than {limit}.",
    "exclusiveMaximum": "Use less than {limit}.",
    "enum": "Use one of {limit}.",
    "const": "Use {limit}.",
    "type": "Use a value of type {limit}.",
    "required": "Add the field.",
}
_CODES = {"type": "INVALID_TYPE", "required": "REQUIRED_FIELD_MISSING"}
_TOLERATED = {"additionalProperties", "unevaluatedProperties"}
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


def parse(text: str | None) -> dict[str, Any]:
    """The configuration in a form field; none given is an empty one.

    Raises:
        InvalidRequestError: It is no JSON object, or holds what no database stores.
    """
    if text is None or not text.strip():
        return {}
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidRequestError(
            "Invalid JSON configuration", hint=f"config must be a JSON object: {str(error)[:200]}"
        ) from error
    if not isinstance(value, dict):
        raise InvalidRequestError(
            f"The configuration must be a JSON object, not {_word(value)}",
            hint='For example {"scene_detection": {"threshold": 30}}',
        )
    _storable(value, 0)
    return value


def check(config: dict[str, Any], offers: Sequence[PipelineOffer]) -> None:
    """Holds a job's configuration against the schema of each of its pipelines.

    Keys that a schema does not know are let through: one configuration may serve several pipelines.

    Raises:
        InvalidConfigError: With every problem found, ``{field, message, code, hint, pipeline}`` each.
    """
    selected = [offer.id for offer in offers]
    problems = [item for offer in offers for item in _problems(config, offer, selected)][:_MAX_PROBLEMS]
    if problems:
        told = "; ".join(f"{p['pipeline']}: {p['message']} ({p['hint']})" for p in problems[:5])
        raise InvalidConfigError(
            f"Configuration validation failed: {told}",
            hint="GET /api/v1/pipelines/{name} shows each key with its type, default and limits.",
            detail={"errors": problems},
        )


def per_key(schema: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """A JSON schema in VideoAnnotator's form: ``{key: {type, default, description, minimum…}}``."""
    defs = schema.get("$defs", {})
    return {key: _key(part, defs) for key, part in schema.get("properties", {}).items()}


def _key(part: dict[str, Any], defs: dict[str, Any]) -> dict[str, Any]:
    whole = _flat(part, defs)
    kind = whole.get("type") or (
        "string" if "enum" in whole else "object" if "properties" in whole else "any"
    )
    shown: dict[str, Any] = {
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


def _flat(part: dict[str, Any], defs: dict[str, Any], depth: int = 0) -> dict[str, Any]:
    """Resolves references, and ``X | None`` to X with a mark."""
    part = dict(part)
    if depth > _MAX_DEPTH:
        return part
    if "$ref" in part:
        target = defs.get(part.pop("$ref").rsplit("/", 1)[-1], {})
        return _flat({**target, **part}, defs, depth + 1)
    for word in ("anyOf", "oneOf", "allOf"):
        options = part.get(word)
        if not options:
            continue
        real = [option for option in options if option.get("type") != "null"]
        if len(real) == 1:
            del part[word]
            inner = _flat(real[0], defs, depth + 1)
            return {**inner, **part, **({"nullable": True} if len(real) < len(options) else {})}
    return part


def _problems(
    config: dict[str, Any], offer: PipelineOffer, selected: Sequence[str]
) -> Iterator[dict[str, Any]]:
    if offer.id in config and not isinstance(config[offer.id], dict):
        yield {
            "field": offer.id,
            "message": f"The section of {offer.id} must be an object, not {_word(config[offer.id])}",
            "code": "INVALID_TYPE",
            "hint": "Use an object of keys and values.",
            "pipeline": offer.id,
        }
        return
    validator = Draft202012Validator(offer.info.config_schema)
    for error in validator.iter_errors(config_of(config, offer.id, selected)):
        if (problem := _problem(error, offer.id)) is not None:
            yield problem


def _problem(error: ValidationError, pipeline: str) -> dict[str, Any] | None:
    if error.context:
        # Of the branches of an anyOf, the one that came closest tells most.
        error = best_match(e for e in error.context if e.validator_value != "null") or error
    keyword = str(error.validator)
    if keyword in _TOLERATED:
        return None
    path = [str(step) for step in error.absolute_path]
    if keyword == "required" and (missing := _missing(error)):
        path.append(missing)
    field = ".".join(path) or pipeline
    out_of_range = keyword in _HINTS and keyword not in _CODES
    return {
        "field": field,
        "message": f"{field}: {error.message[:300]}",
        "code": _CODES.get(keyword, "VALUE_OUT_OF_RANGE" if out_of_range else "INVALID_VALUE"),
        "hint": _HINTS.get(keyword, "See the pipeline's config_schema.").format(limit=_said(error)),
        "pipeline": pipeline,
    }


def _missing(error: ValidationError) -> str | None:
    names = error.validator_value if isinstance(error.validator_value, list) else []
    instance = error.instance if isinstance(error.instance, dict) else {}
    return next((str(name) for name in names if name not in instance and f"'{name}'" in error.message), None)


def _said(error: ValidationError) -> str:
    value = error.validator_value
    return value if isinstance(value, str) else json.dumps(value, default=str)[:200]


def _storable(value: Any, depth: int) -> None:
    """Refuses what JSON can say and BSON can not."""
    if depth > _MAX_DEPTH:
        raise InvalidRequestError(f"The configuration is nested deeper than {_MAX_DEPTH} levels")
    if isinstance(value, dict):
        for key, inner in value.items():
            if "\0" in key or key.startswith("$"):
                raise InvalidRequestError("A key of the configuration begins with $ or has a null in it")
            _storable(key, depth + 1)
            _storable(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            _storable(inner, depth + 1)
    elif isinstance(value, str):
        if any("\ud800" <= c <= "\udfff" for c in value):
            raise InvalidRequestError("A text of the configuration is not valid Unicode")
    elif (isinstance(value, int) and not -_INT64 <= value < _INT64) or (
        isinstance(value, float) and not math.isfinite(value)
    ):
        raise InvalidRequestError("A number of the configuration does not fit 64 bits")


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


def _word(value: object) -> str:
    words = {list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return words.get(type(value), "a number")
