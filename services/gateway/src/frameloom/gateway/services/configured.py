"""What is really set, without any secret: for those who want to know how this gateway was started."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import PurePath
from typing import Any

from pydantic import SecretStr
from pydantic_settings import BaseSettings

_SECRET = re.compile(r"(^|_)(secret|password|token|key|credential|uri)s?(_|$)")
_HARMLESS = re.compile(r"^(wrong_keys_per_minute|auto_generate_key)$")


def configured(classes: Mapping[str, BaseSettings], *, insides: bool) -> dict[str, dict[str, Any]]:
    """By subject: each setting with its value.

    Args:
        classes: The settings by subject.
        insides: Whether texts are told: addresses, folders, origins. Numbers and switches always are.
    """
    return {
        subject: {
            name: _plain(value)
            for name, value in settings
            if not _is_secret(name, value) and (insides or _is_harmless(value))
        }
        for subject, settings in classes.items()
    }


def _is_secret(name: str, value: object) -> bool:
    """By its type, and by its name where somebody has forgotten the type."""
    return isinstance(value, SecretStr) or (bool(_SECRET.search(name)) and not _HARMLESS.match(name))


def _is_harmless(value: object) -> bool:
    return isinstance(value, bool | int | float | timedelta)


def _plain(value: object) -> object:
    match value:
        case bool() | int() | float() | str() | None:
            return value
        case timedelta():
            return value.total_seconds()
        case PurePath():
            return str(value)
        case Mapping():
            return {str(key): _plain(inner) for key, inner in value.items()}
        case tuple() | list() | set() | frozenset():
            return [_plain(inner) for inner in value]
        case _:
            return str(value)
