"""A job's configuration as a whole: read from JSON, led to its pipelines, each part held to its schema.

Pure. The same judgement serves the validating operations and the submission, so they can not differ.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from frameloom.common.machines.sections import EVERYWHERE, config_of, has_sections
from frameloom.common.pipelines import PipelineInfo
from frameloom.common.registry import Names
from frameloom.common.text import cut, json_fault
from frameloom.gateway.errors import InvalidConfigError, InvalidRequestError
from frameloom.gateway.services.checking import MAX_ITEMS, Findings, Problem, Remark, check, short, type_word

_MAX_DEPTH = 32
_INT64 = 2**63
_TOLD = 5
_LONGEST_KEY = 200
_ARTICLES = {"object": "an object", "array": "a list", "integer": "a number", "null": "null"}

Config = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be said of a configuration.

    Attributes:
        config: With every section under its pipeline's name: what the pipelines will be given.
        pipelines: Those it was judged for.
        errors: Why it is refused.
        warnings: What is accepted and worth a word.
    """

    config: Config
    pipelines: tuple[str, ...]
    errors: tuple[Problem, ...]
    warnings: tuple[Remark, ...]

    @property
    def valid(self) -> bool:
        """Nothing keeps it from being accepted."""
        return not self.errors

    def require_valid(self) -> None:
        """Raises what a submission is answered with.

        Raises:
            InvalidConfigError: With every problem found.
        """
        if self.valid:
            return
        told = [f"{error.pipeline}: {error.message} ({error.hint})" for error in self.errors[:_TOLD]]
        if more := len(self.errors) - len(told):
            told.append(f"and {more} more")
        raise InvalidConfigError(
            f"Configuration validation failed: {'; '.join(told)}",
            hint="Fix the errors and submit again. GET /api/v1/pipelines/{name} shows each key's limits.",
            detail={
                "errors": [error.item() for error in self.errors],
                "warnings": [warning.item() for warning in self.warnings],
            },
        )


def parse(text: str | None) -> Config:
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
            "Invalid JSON configuration", hint=f"config must be a JSON object: {json_fault(error)}"
        ) from error
    if not isinstance(value, dict):
        kind = type_word(value)
        raise InvalidRequestError(
            f"The configuration must be a JSON object, not {_ARTICLES.get(kind, f'a {kind}')}",
            hint='For example {"scene_detection": {"threshold": 30}}',
        )
    require_storable(value)
    return value


def require_storable(config: Config) -> None:
    """Refuses what JSON can say and BSON can not.

    Raises:
        InvalidRequestError: It says what.
    """
    _storable(config, 0)


def judge(config: Config, infos: Sequence[PipelineInfo], names: Names) -> Verdict:
    """Holds a job's configuration against the schema of each of its pipelines.

    Args:
        config: As the client sent it.
        infos: The pipelines of the job.
        names: What a section may be called.
    """
    selected = tuple(info.name for info in infos)
    led, errors = _led(config, infos, names)
    known = _keys(infos)
    foreign = {key for key in named_by(led, names).values() if key not in {*selected, *known}}
    sections = has_sections(led, selected)
    elsewhere = known.intersection(EVERYWHERE) if sections else known | foreign
    warnings = [_foreign(key, names) for key in led if key in foreign]
    if sections:
        warnings += [_outside(key, selected) for key in led if key not in {*selected, *foreign, *EVERYWHERE}]
    for info in infos:
        found = _of(led, info, selected, elsewhere)
        errors += found.errors
        warnings += found.warnings
    return Verdict(led, selected, tuple(errors[:MAX_ITEMS]), tuple(warnings[:MAX_ITEMS]))


def named_by(config: Config, names: Names) -> dict[str, str]:
    """The pipelines that have a section in a configuration, in its order, and what each section is called."""
    found = ((names.resolve(key), key) for key, value in config.items() if isinstance(value, dict))
    return {name: key for name, key in found if name is not None}


def _led(config: Config, infos: Sequence[PipelineInfo], names: Names) -> tuple[Config, list[Problem]]:
    """The configuration with its sections under the pipelines' names; two for one pipeline are an error."""
    selected = {info.name for info in infos}
    keys = _keys(infos)
    led: Config = {}
    errors: list[Problem] = []
    for key, value in config.items():
        meant = names.resolve(key)
        if meant is None or meant not in selected or (key in keys and key != meant):
            led.setdefault(key, value)
        elif meant in led:
            told = f"More than one section means {meant}; one is called {short(key)}"
            errors.append(Problem(meant, told, "INVALID_VALUE", "Keep one of them", meant))
        else:
            led[meant] = value
    return led, errors


def _of(config: Config, info: PipelineInfo, selected: Sequence[str], elsewhere: set[str]) -> Findings:
    section = config.get(info.name, {})
    if not isinstance(section, dict):
        message = f"Expected type object for the section '{info.name}', got {type_word(section)}"
        hint = "Use an object of keys and values"
        return Findings(errors=(Problem(info.name, message, "INVALID_TYPE", hint, info.name),))
    return check(config_of(config, info.name, selected), info, elsewhere)


def _keys(infos: Sequence[PipelineInfo]) -> set[str]:
    return {key for info in infos for key in info.config_schema.get("properties", {})}


def _foreign(key: str, names: Names) -> Remark:
    meant = names.resolve(key)
    message = f"The section {short(key)} will be ignored: {meant} is not among the job's pipelines"
    return Remark(cut(key, _LONGEST_KEY), message, f"Select {meant}, or leave it out")


def _outside(key: str, selected: Sequence[str]) -> Remark:
    message = f"Field {short(key)} stands outside of the sections and will be ignored"
    return Remark(
        cut(key, _LONGEST_KEY), message, f"Put it into the section of a pipeline: {', '.join(selected)}"
    )


def _storable(value: Any, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise InvalidRequestError(
            f"The configuration is nested deeper than {_MAX_DEPTH} levels",
            hint="No pipeline has keys that deep: sections, keys and values are three or four levels.",
        )
    if isinstance(value, dict):
        for key, inner in value.items():
            if "\0" in key or key.startswith("$"):
                raise InvalidRequestError(
                    f"The key {short(key)} of the configuration begins with $ or has a null in it",
                    hint="No pipeline has such a key: rename it, or leave it out.",
                )
            _storable(key, depth + 1)
            _storable(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            _storable(inner, depth + 1)
    elif isinstance(value, str):
        if any("\ud800" <= c <= "\udfff" for c in value):
            raise InvalidRequestError(
                "A text of the configuration is not valid Unicode",
                hint="It has half of a surrogate pair, such as \\ud800: write the character itself.",
            )
    elif (isinstance(value, int) and not -_INT64 <= value < _INT64) or (
        isinstance(value, float) and not math.isfinite(value)
    ):
        raise InvalidRequestError(
            "A number of the configuration does not fit 64 bits",
            hint=f"Integers go from {-_INT64} to {_INT64 - 1}; other numbers must be finite.",
        )


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")
