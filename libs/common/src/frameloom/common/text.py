"""Foreign text in our sentences: what a user wrote, repeated at a length that can be read."""

from __future__ import annotations

from json import JSONDecodeError

LONGEST_SHOWN = 64
"""Characters of a foreign word in a message: an id of ours fits, and every name that means something."""


def cut(text: str, most: int = LONGEST_SHOWN) -> str:
    """A text as a message may repeat it: cut off with an ellipsis where it has more characters."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def json_fault(error: ValueError | RecursionError) -> str:
    """Why a text is no JSON that we read, in words that do not speak of Python."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, JSONDecodeError):
        return f"{error.msg}: line {error.lineno} column {error.colno} (char {error.pos})"
    if isinstance(error, UnicodeError):
        return "it is not valid Unicode text"
    if str(error).startswith("Exceeds the limit"):  # of int(), where somebody sends thousands of digits
        return "it has a number with too many digits"
    return cut(str(error), 200)
