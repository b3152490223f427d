"""Foreign text in our sentences."""

from __future__ import annotations

import json

import pytest

from frameloom.common.clock import new_id
from frameloom.common.text import LONGEST_SHOWN, cut, json_fault


def test_what_is_short_stays_and_what_is_long_is_cut_with_an_ellipsis() -> None:
    for text in ("", "scene_detection", new_id(), "a" * LONGEST_SHOWN):
        assert cut(text) == text
    assert cut("a" * (LONGEST_SHOWN + 1)) == "a" * (LONGEST_SHOWN - 1) + "…"
    assert cut("abcdef", 3) == "ab…"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"[" * 100_000, "nested too deeply"),
        (b"9" * 5000, "too many digits"),
        (b"\xff\xfe\xfa", "not valid Unicode"),
        (b'{"a" 1}', "Expecting ':' delimiter: line 1 column 6 (char 5)"),
    ],
)
def test_a_parser_s_complaint_does_not_speak_of_python(text: bytes, told: str) -> None:
    with pytest.raises((ValueError, RecursionError)) as caught:
        json.loads(text)
    assert told in json_fault(caught.value)
    assert not any(word in json_fault(caught.value) for word in ("recursion", "sys.", "codec"))
