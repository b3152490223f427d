"""The sizes of Whisper: which files each has in the model store, and what they understand.

Two are in packages that everybody can fetch. The others are files that an operator brings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from frameloom.common.documents.task import FailureCategory
from frameloom.worker.models.spec import ModelUnavailableError

if TYPE_CHECKING:
    from frameloom.worker.models.store import ModelStore

Size = Literal[
    "base",
    "tiny.en",
    "tiny",
    "base.en",
    "small",
    "small.en",
    "medium",
    "medium.en",
    "large",
    "large-v1",
    "large-v2",
    "large-v3",
    "large-v3-turbo",
    "turbo",
]
PACKAGED: tuple[Size, ...] = ("base", "tiny.en")
BROUGHT: tuple[Size, ...] = tuple(size for size in get_args(Size) if size not in PACKAGED)
_SAME = {"large": "large-v3", "turbo": "large-v3-turbo"}
_PARTS = ("", "-config", "-tokenizer", "-vocabulary")
_128_BANDS = ("large-v3", "large-v3-turbo")
"""They hear finer bands than the others, and a file more says so."""


def _files(size: str) -> tuple[str, ...]:
    own = _SAME.get(size, size)
    parts = (*_PARTS, "-preprocessor") if own in _128_BANDS else _PARTS
    return tuple(f"whisper-{own.replace('.', '-')}{part}" for part in parts)


FILES: Mapping[str, tuple[str, ...]] = {size: _files(size) for size in (*PACKAGED, *BROUGHT)}
"""The names in the model store of each size; the first are the weights."""

LANGUAGES: tuple[str, ...] = tuple(
    code
    for line in (
        "af am ar as az ba be bg bn bo br bs ca cs cy da de el en es et eu fa fi fo fr gl gu ha haw",
        "he hi hr ht hu hy id is it ja jw ka kk km kn ko la lb ln lo lt lv mg mi mk ml mn mr ms mt",
        "my ne nl nn no oc pa pl ps pt ro ru sa sd si sk sl sn so sq sr su sv sw ta te tg th tk tl",
        "tr tt uk ur uz vi yi yo zh",
    )
    for code in line.split()
)
"""What all multilingual sizes know."""


class _Offered:
    """Tells clients the sizes that this worker has now, of all that there are."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Looks into the model store, because what an operator has brought is known only there."""
        from frameloom.worker.models.store import ModelStore  # noqa: PLC0415 - only to be told

        return {**handler(schema), "enum": list(offered(ModelStore()))}


WhisperSize = Annotated[Size, _Offered()]
SIZES = (
    "Size of the Whisper model: base knows many languages, tiny.en only English and is twice as quick. "
    "Larger ones, where the operator has brought them, are slower and hear better."
)


def offered(models: ModelStore) -> tuple[str, ...]:
    """The sizes that can be had."""
    known = {spec.name for spec in models.specs}
    return (*PACKAGED, *(size for size in BROUGHT if known.issuperset(FILES[size])))


def require(models: ModelStore, size: str) -> None:
    """Says what to do about a size that is not there.

    Raises:
        ModelUnavailableError: It is not.
    """
    known = {spec.name for spec in models.specs}
    missing = [name for name in FILES[size] if name not in known]
    if missing:
        raise ModelUnavailableError(
            FailureCategory.PROVIDER_TERMINAL,
            f"Whisper {size} is in no package: the operator has to bring its files "
            f"({', '.join(missing)}), by `frameloom models supply {missing[0]} FILE` and so on. "
            f"Without that there are {' and '.join(offered(models))}.",
        )


def english_only(size: str) -> bool:
    """Whether it understands nothing but English."""
    return size.endswith(".en")


def language_pattern() -> str:
    """Codes of languages in either case, with a country behind them or not: ``de``, ``DE``, ``de-AT``."""
    codes = "|".join("".join(f"[{letter}{letter.upper()}]" for letter in code) for code in LANGUAGES)
    return f"^({codes})(-[A-Za-z]{{2,4}})?$"


ENGLISH_FOR_ENGLISH: dict[str, Any] = {
    "if": {
        "properties": {"whisper_model": {"type": "string", "pattern": r"\.en$"}},
        "required": ["whisper_model"],
    },
    "then": {
        "properties": {
            "language": {
                "pattern": "^[eE][nN](-|$)",
                "description": "This size of Whisper understands English only; take one without .en.",
            }
        }
    },
}
"""For the JSON schema of a configuration: no other language with a size that does not know it."""
