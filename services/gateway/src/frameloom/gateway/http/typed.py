"""Typed handlers: what a handler's annotations ask for is read from the request and checked by pydantic.

A handler is a coroutine function; each parameter says by its annotation where it comes from:
``FromPath[str]``, ``FromQuery[Model]``, ``FromHeaders[Model]``, ``FromBody[Model]`` (``Model | None`` where
the body may be left out), the parts of a form (:class:`FormOf`), the body as a stream (:class:`StreamOf`), or
the :class:`Caller`. Its return annotation says what is
answered. The same annotations make the OpenAPI document, so the two can not differ.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import NoneType, UnionType
from typing import Annotated, Any, Generic, TypeVar, get_args, get_origin, get_type_hints

from aiohttp import web
from pydantic import BaseModel, TypeAdapter, ValidationError

from frameloom.common.errors import FrameloomError
from frameloom.common.text import json_fault
from frameloom.gateway.errors import PayloadTooLargeError, RequestInvalidError
from frameloom.gateway.http.bodies import BodyStream
from frameloom.gateway.services.caller import Caller, Needed
from frameloom.gateway.services.tokens import Purpose

T = TypeVar("T")
_MAX_BODY_BYTES = 1024 * 1024
_INSIDES = frozenset({"class_name"})
_NO_OBJECT = {
    "type": "model_attributes_type",
    "msg": "Input should be a valid dictionary or object to extract fields from",
}
"""FastAPI's words for something else than an object; pydantic's would name our class."""


class Source(StrEnum):
    """Where a parameter comes from; the first three are also OpenAPI's words."""

    PATH = "path"
    QUERY = "query"
    HEADER = "header"
    BODY = "body"
    FORM = "form"
    STREAM = "stream"
    CALLER = "caller"


FromPath = Annotated[T, Source.PATH]
FromQuery = Annotated[T, Source.QUERY]
FromHeaders = Annotated[T, Source.HEADER]
FromBody = Annotated[T, Source.BODY]


@dataclass(frozen=True, slots=True)
class FormOf:
    """Marks a parameter that takes the parts of a multipart form, described by a model.

    Attributes:
        model: Of the form.
        as_json: Of a JSON document that can come instead of the form.
    """

    model: type[BaseModel]
    as_json: type[BaseModel] | None = None


@dataclass(frozen=True, slots=True)
class StreamOf:
    """Marks a parameter that takes the body of a request as a stream of bytes, of this media type."""

    media_type: str


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """A body with a status that the handler decides, and headers; a body of None is none at all."""

    body: T
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[..., Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the API: its place, its names in the OpenAPI document, and its handler.

    Attributes:
        method: Upper case.
        path: With ``{names}`` of path parameters.
        id: ``operationId``.
        summary: One line.
        handler: See the module.
        tags: Groups of the documentation.
        status: What a success is answered with.
        errors: What may go wrong, beside 422, 500 and 503.
        unavailable: What a 503 with the operation's own body means, where there is one.
        slashless_status: The path without its last slash answers too, with this status.
        scope: What the caller's key must allow; ``ANY_KEY``: nothing; None: open to everybody, with or
            without a key.
        strict: Without a key it is answered 403 ``Not authenticated`` instead of 401, as the original does.
        token: Purpose of the short-lived tokens that may come as ``?token=`` in the place of a key.
    """

    method: str
    path: str
    id: str
    summary: str
    handler: Handler
    tags: tuple[str, ...] = ()
    status: int = 200
    errors: tuple[type[FrameloomError], ...] = ()
    unavailable: str | None = None
    slashless_status: int | None = None
    scope: Needed | None = None
    strict: bool = False
    token: Purpose | None = None


Identify = Callable[[web.Request, Operation], Awaitable[Caller]]
"""Tells who asks for an operation, and refuses who may not. Called before anything of the request is read."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a handler.

    Attributes:
        name: In the handler's signature.
        source: Where it comes from.
        kind: Its type: a model, or a scalar for path parameters.
        optional: A body that may be left out; the handler then gets None.
        as_json: Of a form, the model of a JSON document that can come instead.
    """

    name: str
    source: Source
    kind: Any
    optional: bool = False
    as_json: type[BaseModel] | None = None


def parameters_of(handler: Handler) -> list[Parameter]:
    """What a handler asks for."""
    hints = get_type_hints(handler, include_extras=True)
    return [_parameter(name, hints[name]) for name in inspect.signature(handler).parameters]


def returned_by(handler: Handler) -> Any:
    """The type a handler answers with; the body's, when it decides the status too."""
    kind = get_type_hints(handler, include_extras=True)["return"]
    return get_args(kind)[0] if get_origin(kind) is Answer else kind


def _parameter(name: str, hint: Any) -> Parameter:
    if hint is Caller:
        return Parameter(name, Source.CALLER, Caller)
    kind, mark = get_args(hint)[:2]
    if isinstance(mark, FormOf):
        return Parameter(name, Source.FORM, mark.model, as_json=mark.as_json)
    if isinstance(mark, StreamOf):
        return Parameter(name, Source.STREAM, mark.media_type)
    if Source(mark) is Source.BODY and isinstance(kind, UnionType):
        (model,) = (part for part in get_args(kind) if part is not NoneType)
        return Parameter(name, Source.BODY, model, optional=True)
    return Parameter(name, Source(mark), kind)


class Binder:
    """Reads the parameters of one handler from requests."""

    def __init__(self, operation: Operation, identify: Identify) -> None:
        self._operation = operation
        self._identify = identify
        self._parameters = parameters_of(operation.handler)
        self._adapters = {
            p.name: TypeAdapter(p.kind)
            for p in self._parameters
            if p.source not in {Source.CALLER, Source.FORM, Source.STREAM}
        }

    @property
    def form(self) -> str | None:
        """The parameter that takes the form's parts, if there is one."""
        return next((p.name for p in self._parameters if p.source is Source.FORM), None)

    async def lets_in(self, request: web.Request) -> bool:
        """Whether the caller may ask for this. Nothing of the request is read."""
        try:
            await self._identify(request, self._operation)
        except FrameloomError:
            return False
        return True

    async def read(self, request: web.Request) -> dict[str, Any]:
        """The arguments of the handler, all but the form.

        Raises:
            FrameloomError: The caller may not ask for this.
            RequestInvalidError: With every problem of every parameter.
        """
        caller = await self._identify(request, self._operation)
        values: dict[str, Any] = {}
        problems: list[dict[str, Any]] = []
        for parameter in self._parameters:
            if parameter.source is Source.CALLER:
                values[parameter.name] = caller
            elif parameter.source is Source.STREAM:
                values[parameter.name] = BodyStream(request)
            elif parameter.source is not Source.FORM:
                try:
                    values[parameter.name] = await self._one(request, parameter)
                except ValidationError as error:
                    problems += _located(error, parameter)
        if problems:
            raise RequestInvalidError(problems)
        return values

    async def _one(self, request: web.Request, parameter: Parameter) -> Any:
        adapter: TypeAdapter[Any] = self._adapters[parameter.name]
        match parameter.source:
            case Source.PATH:
                return adapter.validate_python(request.match_info[parameter.name])
            case Source.QUERY:
                # Of a repeated key the last one counts, as in FastAPI.
                return adapter.validate_python({key: request.query.getall(key)[-1] for key in request.query})
            case Source.HEADER:
                return adapter.validate_python(_wanted_headers(request, parameter.kind))
            case _:
                content = await _content(request)
                return None if parameter.optional and not content else adapter.validate_python(_json(content))


def _wanted_headers(request: web.Request, model: type[BaseModel]) -> dict[str, str]:
    names = (info.alias or name for name, info in model.model_fields.items())
    return {name: request.headers[name] for name in names if name in request.headers}


async def _content(request: web.Request) -> bytes:
    body = b""
    async for chunk in request.content.iter_chunked(64 * 1024):
        body += chunk
        if len(body) > _MAX_BODY_BYTES:
            raise PayloadTooLargeError("The body", _MAX_BODY_BYTES)
    return body


def _json(body: bytes) -> Any:
    if not body:
        raise RequestInvalidError.missing("body")
    try:
        return _encodable(json.loads(body), body)
    except (ValueError, RecursionError) as error:
        problem = {
            "type": "json_invalid",
            "loc": ["body", getattr(error, "pos", 0)],
            "msg": "JSON decode error",
            "input": {},
            "ctx": {"error": getattr(error, "msg", None) or json_fault(error)},
        }
        raise RequestInvalidError([problem]) from error


def _encodable(value: Any, body: bytes) -> Any:
    """Refuses half a pair of surrogates: it is no text, and no answer could show it."""
    if b"\\u" in body:
        json.dumps(value, ensure_ascii=False).encode()
    return value


def _located(error: ValidationError, parameter: Parameter) -> list[dict[str, Any]]:
    """Pydantic's problems as FastAPI shows them: the place begins with the source.

    What names our own classes is left out; where nothing is left of ``ctx``, so is that.
    """
    first = [parameter.source.value, *([parameter.name] if parameter.source is Source.PATH else [])]
    problems: list[dict[str, Any]] = []
    for item in error.errors(include_url=False):
        shown: dict[str, Any] = {**item, "loc": [*first, *item["loc"]]}
        if item["type"] == "model_type":
            shown |= _NO_OBJECT
        if context := {
            key: value if isinstance(value, int | float | str | bool | list) else str(value)
            for key, value in shown.pop("ctx", {}).items()
            if key not in _INSIDES
        }:
            shown["ctx"] = context
        problems.append(shown)
    return problems
