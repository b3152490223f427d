"""Byte ranges and entity tags (RFC 9110, sections 13 and 14)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from frameloom.gateway.errors import RangeNotSatisfiableError

_RANGE = re.compile(r"bytes\s*=\s*([0-9]{0,19})\s*-\s*([0-9]{0,19})\s*", re.ASCII | re.IGNORECASE)
_TAG = re.compile(r'(?:W/)?("[^"]*")')
_STRONG = re.compile(r'(?:^|,)\s*("[^"]*")')
_PLAIN = re.compile(r"[A-Za-z0-9 ._()+,@=-]+")


@dataclass(frozen=True, slots=True)
class Span:
    """A range of a file: its first byte and its length."""

    offset: int
    length: int


def wanted_span(headers: Mapping[str, str], size_bytes: int, etag: str) -> Span | None:
    """The range that a request asks for; None: the whole file.

    Several ranges at once, units that are not bytes, and what can not be read are answered with the whole,
    which the standard allows. So is a range under an ``If-Range`` that no longer holds.

    Args:
        headers: Of the request.
        size_bytes: Of the file.
        etag: Of the file, quoted.

    Raises:
        RangeNotSatisfiableError: The range lies behind the end.
    """
    match = _RANGE.fullmatch(headers.get("Range", "").strip())
    if match is None or headers.get("If-Range", etag).strip() != etag:
        return None
    first, last = match.groups()
    if first:
        if last and int(last) < int(first):
            return None
        if int(first) >= size_bytes:
            raise RangeNotSatisfiableError(size_bytes)
        end = min(int(last), size_bytes - 1) if last else size_bytes - 1
        return Span(int(first), end - int(first) + 1)
    if not last:
        return None
    length = min(int(last), size_bytes)
    if length == 0:
        raise RangeNotSatisfiableError(size_bytes)
    return Span(size_bytes - length, length)


def unchanged(headers: Mapping[str, str], etag: str) -> bool:
    """Whether ``If-None-Match`` says that the client has this version already."""
    given = headers.get("If-None-Match")
    return given is not None and (given.strip() == "*" or etag in _TAG.findall(given))


def as_wanted(headers: Mapping[str, str], etag: str) -> bool:
    """Whether this is the version that ``If-Match`` insists on, if there is one."""
    given = headers.get("If-Match")
    return given is None or given.strip() == "*" or etag in _STRONG.findall(given)


def attachment(filename: str) -> str:
    """A ``Content-Disposition`` that has a file saved, under any name (RFC 6266, RFC 8187)."""
    return _disposition("attachment", filename)


def inline(filename: str) -> str:
    """A ``Content-Disposition`` that lets a file be shown, and saved under any name."""
    return _disposition("inline", filename)


def _disposition(kind: str, filename: str) -> str:
    encoded = quote(filename, safe="")
    if _PLAIN.fullmatch(filename):
        return f'{kind}; filename="{filename}"'
    plain = "".join(c if _PLAIN.fullmatch(c) else "_" for c in filename)
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{encoded}"
