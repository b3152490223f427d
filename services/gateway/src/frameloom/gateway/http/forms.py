"""Reading a multipart form part by part: nothing of a file is held, everything has a limit."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

from aiohttp import BodyPartReader, MultipartReader, web
from aiohttp.hdrs import CONTENT_ENCODING, CONTENT_TRANSFER_ENCODING
from aiohttp.http_exceptions import HttpProcessingError
from pydantic import ValidationError

from frameloom.common.errors import FrameloomError
from frameloom.common.text import cut
from frameloom.gateway.errors import (
    InvalidRequestError,
    PayloadTooLargeError,
    RequestInvalidError,
    UnsupportedMediaError,
    UploadAbortedError,
)
from frameloom.gateway.http.bodies import BodyStream
from frameloom.gateway.http.pacing import Pace, Stopwatch
from frameloom.gateway.schemas.jobs import JobByUrl
from frameloom.gateway.services.submission import FilePart, TextPart

_CHUNK_BYTES = 256 * 1024
_MAX_PARTS = 32
_OVERHEAD_BYTES = 64 * 1024
_PLAIN_ENCODINGS = {"", "7bit", "8bit", "binary"}
Parts = AsyncIterator[TextPart | FilePart]


class FormReader:
    """Reads the forms of one server.

    Args:
        file_field: The one part that may be large.
        max_file_bytes: Its limit, for what is known before it is read; the reader of the chunks counts too.
        max_field_bytes: Limit of every other part, and of all of them together twice as much.
        pace: How slowly a client may send.
    """

    def __init__(self, *, file_field: str, max_file_bytes: int, max_field_bytes: int, pace: Pace) -> None:
        self._file_field = file_field
        self._max_file_bytes = max_file_bytes
        self._max_field_bytes = max_field_bytes
        self._pace = pace

    def refusal(self, request: web.Request) -> FrameloomError | None:
        """Why the body is not worth reading, as far as the headers tell."""
        encoding = request.headers.get(CONTENT_ENCODING, "identity").strip().lower()
        if encoding != "identity":
            return UnsupportedMediaError(
                f"Bodies with Content-Encoding {cut(encoding)} are not accepted",
                hint="Send the form without compression.",
            )
        limit = self._max_file_bytes + 2 * self._max_field_bytes + _OVERHEAD_BYTES
        if request.content_length is not None and request.content_length > limit:
            return PayloadTooLargeError("The upload", self._max_file_bytes)
        return None

    @asynccontextmanager
    async def parts(self, request: web.Request) -> AsyncIterator[Parts]:
        """The parts of the request's form.

        Raises:
            FrameloomError: The request is refused for its headers.
        """
        if (refusal := self.refusal(request)) is not None:
            raise refusal
        if request.content_type == "application/json":
            yield _of_json(await self._document(request))
            return
        if request.content_type != "multipart/form-data":
            raise RequestInvalidError.missing("body", self._file_field)
        form = _Form(request, self._file_field, self._max_field_bytes, Stopwatch(self._pace))
        async with aclosing(form.parts()) as parts:
            yield parts

    async def _document(self, request: web.Request) -> bytes:
        body = bytearray()
        async for chunk in BodyStream(request).chunks(self._pace):
            body += chunk
            if len(body) > self._max_field_bytes:
                raise PayloadTooLargeError("The body", self._max_field_bytes)
        return bytes(body)


async def _of_json(document: bytes) -> Parts:
    """The parts that the same submission would have as a form."""
    try:
        read = JobByUrl.model_validate_json(document)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        raise RequestInvalidError(
            [{**problem, "loc": ["body", *problem["loc"]], "input": None} for problem in problems]
        ) from error
    yield TextPart("video_url", read.video_url)
    if read.selected_pipelines is not None:
        named = read.selected_pipelines
        yield TextPart("selected_pipelines", named if isinstance(named, str) else ",".join(named))
    if read.config is not None:
        yield TextPart("config", json.dumps(read.config))


class _Form:
    """One form on its way."""

    def __init__(
        self, request: web.Request, file_field: str, max_field_bytes: int, stopwatch: Stopwatch
    ) -> None:
        self._request = request
        self._file_field = file_field
        self._max_field_bytes = max_field_bytes
        self._stopwatch = stopwatch
        self._text_left = 2 * max_field_bytes

    async def parts(self) -> AsyncGenerator[TextPart | FilePart]:
        """Its parts, one after the other."""
        async with self._reading():
            reader = await self._request.multipart()
        for _ in range(_MAX_PARTS):
            async with self._reading():
                part = await reader.next()
            if part is None:
                return
            if isinstance(part, MultipartReader):
                raise InvalidRequestError(
                    "A part of the form is itself a form",
                    hint="Send video, selected_pipelines and config flat.",
                )
            yield await self._one(part)
        raise InvalidRequestError(
            f"The form has more than {_MAX_PARTS} parts",
            hint="It needs three at most: video, selected_pipelines and config.",
        )

    async def _one(self, part: BodyPartReader) -> TextPart | FilePart:
        name = part.name or ""
        _refuse_encoding(part)
        if name != self._file_field:
            return TextPart(name, await self._text(part, name))
        if part.filename is None:
            problem = {
                "type": "value_error",
                "loc": ["body", name],
                "msg": "Value error, expected UploadFile, received: <class 'str'>",
                "input": (await self._text(part, name))[:200],
                "ctx": {"error": "expected a file part with a file name"},
            }
            raise RequestInvalidError([problem])
        return FilePart(name, part.filename, self._chunks(part))

    async def _text(self, part: BodyPartReader, name: str) -> str:
        body = bytearray()
        async for chunk in self._chunks(part):
            body += chunk
            self._text_left -= len(chunk)
            if len(body) > self._max_field_bytes or self._text_left < 0:
                raise self._no_text(
                    part, PayloadTooLargeError(f"The field {cut(name)}", self._max_field_bytes)
                )
        try:
            return body.decode()
        except UnicodeDecodeError:
            raise self._no_text(
                part,
                InvalidRequestError(
                    f"The field {cut(name)} is not UTF-8 text", hint="Send text fields in UTF-8."
                ),
            ) from None

    def _no_text(self, part: BodyPartReader, error: FrameloomError) -> FrameloomError:
        """A file in a part of another name is most likely the media file: what is missing is said instead."""
        return error if part.filename is None else RequestInvalidError.missing("body", self._file_field)

    async def _chunks(self, part: BodyPartReader) -> AsyncIterator[bytes]:
        while True:
            async with self._reading():
                chunk = await part.read_chunk(_CHUNK_BYTES)
            if not chunk:
                return
            self._stopwatch.count(len(chunk))
            yield chunk

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[None]:
        """Around each read: its time limit, and what its errors mean."""
        try:
            async with self._stopwatch.waiting():
                yield
        except ConnectionError as error:
            raise UploadAbortedError("The client went away during the upload") from error
        except (ValueError, AssertionError, RuntimeError, HttpProcessingError) as error:
            # What aiohttp's multipart reader raises at a body that is no form.
            raise InvalidRequestError(
                "The form can not be read", hint=f"Is the multipart body complete? {str(error)[:120]}"
            ) from error


def _refuse_encoding(part: BodyPartReader) -> None:
    """A decoded part may be larger than what was counted on the wire: none is decoded."""
    transfer = part.headers.get(CONTENT_TRANSFER_ENCODING, "").strip().lower()
    content = part.headers.get(CONTENT_ENCODING, "identity").strip().lower()
    if transfer not in _PLAIN_ENCODINGS or content != "identity":
        raise UnsupportedMediaError(
            "Encoded parts are not accepted",
            hint="Send the parts as they are, without Content-Encoding or a Content-Transfer-Encoding.",
        )
