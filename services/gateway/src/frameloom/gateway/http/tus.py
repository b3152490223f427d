"""The headers of the tus protocol 1.0.0 (https://tus.io/protocols/resumable-upload). Pure, but for the last.

Extensions: creation, creation-with-upload, termination, checksum, expiration.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Protocol

from aiohttp import web

from frameloom.common.text import cut
from frameloom.gateway.errors import (
    ChecksumMismatchError,
    InvalidRequestError,
    OffsetMediaTypeError,
    TusVersionError,
)
from frameloom.gateway.http.bodies import BodyStream

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,termination,checksum,expiration"
OFFSET_TYPE = "application/offset+octet-stream"
UPLOADS = "/api/v1/uploads"
JOB_ID = "X-Job-Id"
"""Ours: the job that an upload has become."""
_HASHES = ("sha1", "sha256", "md5")
ALGORITHMS = ",".join((*_HASHES, "crc32"))
_MOST_DIGITS = 18


def require_version(sent: str | None, *, always: bool = True) -> None:
    """Refuses other versions; where a browser may ask too, their absence is fine.

    Raises:
        TusVersionError: The client does not speak this version.
    """
    if sent != VERSION and (always or sent is not None):
        raise TusVersionError(sent)


def require_offset_type(body: BodyStream) -> None:
    """Refuses a body that is no piece of an upload.

    Raises:
        OffsetMediaTypeError: It has another type, or is compressed.
    """
    if body.media_type != OFFSET_TYPE or body.encoded:
        raise OffsetMediaTypeError


def number(name: str, text: str | None) -> int:
    """A length or an offset in bytes.

    Raises:
        InvalidRequestError: There is none, or it is no number.
    """
    if text is None:
        raise InvalidRequestError(f"The header {name} is missing", hint="Send it as a number of bytes.")
    if not (text.isascii() and text.isdigit()) or len(text) > _MOST_DIGITS:
        raise InvalidRequestError(
            f"The header {name} is no number of bytes: {cut(text)}",
            hint=f"Send {name} as a whole number in decimal digits, 0 or more.",
        )
    return int(text)


def metadata(text: str | None) -> dict[str, str]:
    """``Upload-Metadata``: pairs of a key and a value in base64, divided by commas.

    Raises:
        InvalidRequestError: It is something else.
    """
    found: dict[str, str] = {}
    for pair in (text or "").split(","):
        key, _, value = pair.strip().partition(" ")
        if not key:
            continue
        if key in found:
            raise InvalidRequestError(
                f"Upload-Metadata has the key {cut(key)} twice", hint="Send each key once."
            )
        try:
            found[key] = base64.b64decode(value.strip(), validate=True).decode()
        except (binascii.Error, ValueError) as error:
            raise InvalidRequestError(
                f"The value of {cut(key)} in Upload-Metadata is no text in base64",
                hint="Send pairs of a key and its value in base64, divided by commas.",
            ) from error
    return found


class Checksum(Protocol):
    """Says whether bytes are those that were sent."""

    def update(self, chunk: bytes, /) -> None:
        """Takes some."""
        ...

    def verify(self) -> None:
        """Refuses them, if they are not.

        Raises:
            ChecksumMismatchError: They are not.
        """
        ...


def checksum(text: str | None) -> Checksum | None:
    """``Upload-Checksum``: the name of an algorithm, and a digest in base64.

    Raises:
        InvalidRequestError: It is something else.
    """
    if text is None:
        return None
    name, _, encoded = text.strip().partition(" ")
    try:
        expected = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        expected = b""
    if name == "crc32":
        made: Checksum = _Crc32(expected)
    elif name in _HASHES:
        made = _Hash(name, expected)
    else:
        raise InvalidRequestError(
            f"The checksum {cut(name)} is not known here", hint=f"Use one of {ALGORITHMS}."
        )
    if not expected:
        raise InvalidRequestError(
            "Upload-Checksum has no digest in base64 behind the name of its algorithm",
            hint="For example: Upload-Checksum: sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=",
        )
    return made


class _Hash:
    def __init__(self, name: str, expected: bytes) -> None:
        self._hash = hashlib.new(name, usedforsecurity=False)
        self._expected = expected

    def update(self, chunk: bytes, /) -> None:
        self._hash.update(chunk)

    def verify(self) -> None:
        if not hmac.compare_digest(self._hash.digest(), self._expected):
            raise ChecksumMismatchError


class _Crc32:
    def __init__(self, expected: bytes) -> None:
        self._value = 0
        self._expected = expected

    def update(self, chunk: bytes, /) -> None:
        self._value = zlib.crc32(chunk, self._value)

    def verify(self) -> None:
        if self._value.to_bytes(4, "big") != self._expected:
            raise ChecksumMismatchError


def http_date(moment: datetime) -> str:
    """A time as HTTP writes it."""
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def facts(max_bytes: int) -> Mapping[str, str]:
    """What a server tells of itself."""
    return {
        "Tus-Version": VERSION,
        "Tus-Extension": EXTENSIONS,
        "Tus-Max-Size": str(max_bytes),
        "Tus-Checksum-Algorithm": ALGORITHMS,
    }


def told(request: web.Request, response: web.StreamResponse) -> None:
    """Says on every answer about uploads, errors included, which protocol is spoken."""
    if request.path == UPLOADS or request.path.startswith(f"{UPLOADS}/"):
        response.headers["Tus-Resumable"] = VERSION
        if response.status == TusVersionError.status:
            response.headers["Tus-Version"] = VERSION
