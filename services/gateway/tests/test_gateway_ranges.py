"""Byte ranges, entity tags and attachment names."""

from __future__ import annotations

import pytest

from frameloom.gateway.errors import RangeNotSatisfiableError
from frameloom.gateway.http.ranges import Span, attachment, unchanged, wanted_span

TAG = '"abc"'


@pytest.mark.parametrize(
    ("value", "span"),
    [
        ("bytes=0-0", Span(0, 1)),
        ("bytes=0-99", Span(0, 100)),
        ("bytes=0-1000", Span(0, 100)),
        ("bytes=90-", Span(90, 10)),
        ("bytes=-10", Span(90, 10)),
        ("bytes=-1000", Span(0, 100)),
        ("Bytes = 1 - 2", Span(1, 2)),
        ("", None),
        ("bytes=", None),
        ("bytes=-", None),
        ("bytes=5-2", None),
        ("bytes=0-1,5-6", None),
        ("lines=0-1", None),
        ("bytes=a-b", None),
        ("bytes=٣-٤", None),
        ("bytes=0-" + "9" * 30, None),
    ],
)
def test_a_range_is_read_or_passed_over(value: str, span: Span | None) -> None:
    assert wanted_span({"Range": value}, 100, TAG) == span


@pytest.mark.parametrize(("value", "size"), [("bytes=100-", 100), ("bytes=100-200", 100), ("bytes=-0", 100)])
def test_a_range_behind_the_end_is_refused(value: str, size: int) -> None:
    with pytest.raises(RangeNotSatisfiableError) as caught:
        wanted_span({"Range": value}, size, TAG)
    assert caught.value.size_bytes == size


@pytest.mark.parametrize(
    ("condition", "span"),
    [(TAG, Span(1, 2)), ('"other"', None), ("W/" + TAG, None), ("Mon, 23 Nov 2026 00:00:00 GMT", None)],
)
def test_a_range_holds_only_for_the_version_it_was_meant_for(condition: str, span: Span | None) -> None:
    assert wanted_span({"Range": "bytes=1-2", "If-Range": condition}, 100, TAG) == span


@pytest.mark.parametrize(
    ("given", "same"),
    [(None, False), (TAG, True), ("*", True), (f'"x", W/{TAG}', True), ('"x"', False), ("abc", False)],
)
def test_a_known_version_is_recognised(given: str | None, same: bool) -> None:
    assert unchanged({} if given is None else {"If-None-Match": given}, TAG) is same


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("a b.json", 'attachment; filename="a b.json"'),
        ("ä.json", "attachment; filename=\"_.json\"; filename*=UTF-8''%C3%A4.json"),
        ('a"b.json', "attachment; filename=\"a_b.json\"; filename*=UTF-8''a%22b.json"),
    ],
)
def test_any_name_can_be_attached(name: str, header: str) -> None:
    assert attachment(name) == header
