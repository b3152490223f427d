"""One pipeline's configuration held against its schema: what is wrong, and what is worth a word. Pure."""

from __future__ import annotations

import difflib
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import structlog
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

from frameloom.common.pipelines import PipelineInfo
from frameloom.common.registry import SHARED_KEYS
from frameloom.common.text import cut
from frameloom.gateway.services.parameters import Schema, flat

log = structlog.get_logger(__name__)

MAX_ITEMS = 100
"""Most errors, and most warnings, of one pipeline."""
_LONGEST_KEY = 64
_LONGEST_TEXT = 200
_OPEN = ("additionalProperties", "unevaluatedProperties")
_BOUNDS = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}
_TYPES: dict[type, str] = {
    dict: "object",
    list: "array",
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    type(None): "null",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """An error: the configuration is refused.

    Attributes:
        field: ``<pipeline>.<key>``, or ``pipeline`` when it is about that itself.
        message: A sentence that names the key.
        code: ``VALUE_OUT_OF_RANGE``, ``INVALID_TYPE``, ``INVALID_VALUE``, ``REQUIRED_FIELD_MISSING`` or
            ``PIPELINE_NOT_FOUND``.
        hint: What to do.
        pipeline: Which one it is about.
    """

    field: str
    message: str
    code: str
    hint: str
    pipeline: str

    def item(self, *, pipeline: bool = True) -> dict[str, Any]:
        """As the API shows it."""
        shown = {"field": self.field, "message": self.message, "code": self.code, "hint": self.hint}
        return {**shown, "pipeline": self.pipeline} if pipeline else shown


@dataclass(frozen=True, slots=True)
class Remark:
    """A warning: it is accepted all the same."""

    field: str
    message: str
    suggestion: str
    pipeline: str | None = None

    def item(self, *, pipeline: bool = True) -> dict[str, Any]:
        """As the API shows it."""
        shown = {"field": self.field, "message": self.message, "suggestion": self.suggestion}
        return {**shown, "pipeline": self.pipeline} if pipeline and self.pipeline else shown


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found about one configuration."""

    errors: tuple[Problem, ...] = ()
    warnings: tuple[Remark, ...] = ()


def check(config: Mapping[str, Any], info: PipelineInfo, elsewhere: Collection[str] = ()) -> Findings:
    """Holds a configuration against the schema of one pipeline.

    Args:
        config: What this pipeline would be given.
        info: The pipeline.
        elsewhere: Keys that other pipelines of the same job know: one configuration may serve several.
    """
    try:
        errors = list(islice(_errors(config, info), MAX_ITEMS))
        found = list(islice(_Walk(info, elsewhere).of(config), 2 * MAX_ITEMS))
    except Exception as error:  # noqa: BLE001 - whatever a plug-in's schema leads to is its own affair
        # The worker still checks by the model that the schema was made from.
        log.warning("schema can not be used", pipeline=info.name, reason=cut(str(error), _LONGEST_TEXT))
        return Findings()
    errors += [item for item in found if isinstance(item, Problem)]
    warnings = [item for item in found if isinstance(item, Remark)]
    return Findings(tuple(errors[:MAX_ITEMS]), tuple(warnings[:MAX_ITEMS]))


def close_to(name: str, known: Collection[str]) -> str | None:
    """The known word that was probably meant."""
    if len(name) > _LONGEST_KEY:
        return None
    return next(iter(difflib.get_close_matches(name.casefold(), list(known), n=1, cutoff=0.6)), None)


def short(value: Any) -> str:
    """A value in a message: as JSON, cut off when it is long."""
    told = json.dumps(value, ensure_ascii=False, default=str) if not isinstance(value, str) else f"'{value}'"
    return cut(told)


def type_word(value: Any) -> str:
    """JSON's word for the type of a value."""
    return _TYPES.get(type(value), "object")


def _errors(config: Mapping[str, Any], info: PipelineInfo) -> Iterator[Problem]:
    for error in Draft202012Validator(info.config_schema).iter_errors(dict(config)):
        closest = error
        if error.context:
            # Of the branches of an anyOf, the one that came closest tells most.
            closest = best_match(e for e in error.context if e.validator_value != "null") or error
        if (problem := _problem(closest, info.name)) is not None:
            yield problem


def _problem(error: ValidationError, pipeline: str) -> Problem | None:
    keyword = str(error.validator)
    path = [cut(str(step)) for step in error.absolute_path]
    if keyword in _OPEN and not path:
        return None  # told as a warning
    if keyword == "required":
        path.append(_missing(error))
    key = pipeline if not path else path[-1] if not path[-1].isdigit() else ".".join(path[-2:])
    message, code, hint = _told(error, keyword, key)
    return Problem(cut(".".join([pipeline, *path]), _LONGEST_TEXT), message, code, hint, pipeline)


def _told(error: ValidationError, keyword: str, key: str) -> tuple[str, str, str]:
    """Message, code and hint of an error."""
    schema: Schema = dict(error.schema) if isinstance(error.schema, Mapping) else {}
    limit: Any = error.validator_value
    if keyword in _BOUNDS:
        message = f"Value {short(error.instance)} of '{key}' is out of range {_range(schema)}"
        return message, "VALUE_OUT_OF_RANGE", f"Use a value {_between(schema)}"
    if keyword == "type":
        word = limit if isinstance(limit, str) else " or ".join(limit)
        message = f"Expected type {word} for '{key}', got {type_word(error.instance)}"
        return message, "INVALID_TYPE", f"Use a value of type {word}"
    if keyword in {"enum", "const"}:
        allowed = [limit] if keyword == "const" else limit
        choices = cut(", ".join(short(value) for value in allowed), _LONGEST_TEXT)
        message = f"Value {short(error.instance)} of '{key}' is not possible; choose {choices}"
        words = {value.casefold(): value for value in allowed if isinstance(value, str)}
        meant = close_to(str(error.instance), words)
        hint = f"Did you mean '{words[meant]}'?" if meant else _because(schema) or f"Use one of: {choices}"
        return message, "INVALID_VALUE", hint
    if keyword == "required":
        return f"Required field '{key}' is missing", "REQUIRED_FIELD_MISSING", f"Add '{key}'"
    if keyword == "pattern":
        message = f"Value {short(error.instance)} of '{key}' does not have the expected form"
        return message, "INVALID_VALUE", _because(schema) or f"The form is {limit}"
    said = cut(error.message, _LONGEST_TEXT)
    return f"'{key}': {said}", "INVALID_VALUE", _because(schema) or "See the pipeline's config_schema"


def _because(schema: Schema) -> str:
    return cut(str(schema.get("description", "")), _LONGEST_TEXT)


def _missing(error: ValidationError) -> str:
    names = error.validator_value if isinstance(error.validator_value, list) else []
    instance = error.instance if isinstance(error.instance, dict) else {}
    return next((str(name) for name in names if name not in instance and f"'{name}'" in error.message), "?")


def _range(schema: Schema) -> str:
    low = f"[{schema['minimum']}" if "minimum" in schema else f"({schema.get('exclusiveMinimum', '-∞')}"
    high = f"{schema['maximum']}]" if "maximum" in schema else f"{schema.get('exclusiveMaximum', '∞')})"
    return f"{low}, {high}"


def _between(schema: Schema) -> str:
    if "minimum" in schema and "maximum" in schema:
        return f"between {schema['minimum']} and {schema['maximum']}"
    words = {
        "minimum": "of {} or more",
        "exclusiveMinimum": "above {}",
        "maximum": "of {} or less",
        "exclusiveMaximum": "below {}",
    }
    return " and ".join(word.format(schema[name]) for name, word in words.items() if name in schema)


class _Walk:
    """What JSON schema does not tell: unknown keys, keys without effect, pairs in the wrong order."""

    def __init__(self, info: PipelineInfo, elsewhere: Collection[str]) -> None:
        self._name = info.name
        self._schema = info.config_schema
        self._defs = info.config_schema.get("$defs", {})
        self._elsewhere = elsewhere

    def of(self, config: Mapping[str, Any]) -> Iterator[Problem | Remark]:
        """The findings, from the top down."""
        yield from self._level(config, self._schema, [])

    def _level(
        self, config: Mapping[str, Any], schema: Schema, above: list[str]
    ) -> Iterator[Problem | Remark]:
        properties: dict[str, Schema] = schema.get("properties", {})
        closed = not schema.get("additionalProperties") and "patternProperties" not in schema
        for key, value in config.items():
            path = [*above, key]
            if key in properties:
                part = flat(properties[key], self._defs)
                yield from self._known(path, value, part)
                yield from self._order(path, config, part, properties)
            elif closed and not (above and schema.get("additionalProperties") is False):
                yield from self._unknown(path, value, properties)

    def _known(self, path: list[str], value: Any, part: Schema) -> Iterator[Problem | Remark]:
        effect = part.get("x-without-effect")
        if isinstance(effect, dict) and ("when" not in effect or value in effect["when"]):
            message = f"'{cut(path[-1])}' has no effect here: {effect.get('reason', 'it is not used')}"
            yield Remark(self._field(path), message, "It may be left out", self._name)
        if isinstance(value, dict) and "properties" in part:
            yield from self._level(value, part, path)

    def _order(
        self, path: list[str], config: Mapping[str, Any], part: Schema, properties: dict[str, Schema]
    ) -> Iterator[Problem]:
        """``x-at-most`` names another key that this one must not exceed."""
        other = part.get("x-at-most")
        if other is None:
            return
        value = config[path[-1]]
        limit = config.get(other, properties.get(other, {}).get("default"))
        if _number(value) and _number(limit) and value > limit:
            message = f"Value {short(value)} of '{cut(path[-1])}' is above '{other}', which is {short(limit)}"
            hint = f"Use a value that is not above '{other}', or raise that"
            yield Problem(self._field(path), message, "VALUE_OUT_OF_RANGE", hint, self._name)

    def _unknown(self, path: list[str], value: Any, known: Collection[str]) -> Iterator[Problem | Remark]:
        key = path[-1]
        if len(path) == 1 and key in self._elsewhere:
            return
        if len(path) <= 2 and key in SHARED_KEYS:
            for error in Draft202012Validator(dict(SHARED_KEYS[key])).iter_errors(value):
                message, code, hint = _told(error, str(error.validator), key)
                yield Problem(self._field(path), message, code, hint, self._name)
        meant = close_to(key, known)
        yield Remark(
            self._field(path),
            f"Unknown field {short(key)} will be ignored",
            f"Did you mean '{meant}'?" if meant else "Check the spelling, or leave it out",
            self._name,
        )

    def _field(self, path: list[str]) -> str:
        return cut(".".join([self._name, *(cut(step) for step in path)]), _LONGEST_TEXT)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
