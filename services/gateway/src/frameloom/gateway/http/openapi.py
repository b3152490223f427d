"""The OpenAPI 3.1 document, made from the operations and the annotations of their handlers."""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema

from frameloom.common.errors import FrameloomError, TransientError
from frameloom.gateway.errors import (
    NotAuthenticatedError,
    RateLimitedError,
    ScopeMissingError,
    TooManyRequestsError,
    UnauthorizedError,
)
from frameloom.gateway.http.answers import PlainText
from frameloom.gateway.http.files import FileDownload
from frameloom.gateway.http.socket import EventSocket
from frameloom.gateway.http.sse import EventStream
from frameloom.gateway.http.trickle import Trickle
from frameloom.gateway.http.typed import Operation, Parameter, Source, parameters_of, returned_by
from frameloom.gateway.schemas.errors import ErrorResponse, HTTPValidationError
from frameloom.gateway.services.caller import ANY_KEY

Json = dict[str, Any]
_REF = "#/components/schemas/{model}"
_ERROR_REF = {"$ref": _REF.format(model=ErrorResponse.__name__)}
_UNPROCESSABLE: Json = {
    "description": "Validation Error",
    "content": {"application/json": {"schema": {"$ref": _REF.format(model=HTTPValidationError.__name__)}}},
}
_FILE_HEADERS: Json = {
    "ETag": {
        "description": "Another one for other bytes; of a stored file its sha256",
        "schema": {"type": "string"},
    },
    "Content-Disposition": {"schema": {"type": "string"}},
    "Accept-Ranges": {"schema": {"type": "string"}},
}
_ELSEWHERE: Json = {
    "307": {
        "description": "Where the file can be fetched for a short while, without a key",
        "headers": {"Location": {"schema": {"type": "string", "format": "uri"}}},
    }
}
_ALWAYS: tuple[type[FrameloomError], ...] = (TransientError, FrameloomError)
_SECURITY_SCHEMES: Json = {"HTTPBearer": {"type": "http", "scheme": "bearer"}}
_BINARY: Json = {"*/*": {"schema": {}}}  # the type of each file is its own: JSON files are parsed by clients
_BYTES: Json = {"type": "string", "format": "binary"}


def document(operations: Sequence[Operation], *, title: str, version: str, description: str) -> Json:
    """The whole document.

    Args:
        operations: What the server answers.
        title: Of the API.
        version: Of the API.
        description: Of the API, CommonMark.
    """
    models: list[type[BaseModel]] = [ErrorResponse, HTTPValidationError]
    paths: dict[str, Json] = defaultdict(dict)
    for operation in operations:
        parameters = parameters_of(operation.handler)
        models += _models(operation, parameters)
        paths[operation.path][operation.method.lower()] = _operation(operation, parameters)
    unique = list(dict.fromkeys(models))
    _, schemas = models_json_schema([(model, "validation") for model in unique], ref_template=_REF)
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version, "description": description},
        "paths": dict(paths),
        "components": {"schemas": schemas["$defs"], "securitySchemes": _SECURITY_SCHEMES},
    }


def _models(operation: Operation, parameters: Iterable[Parameter]) -> list[type[BaseModel]]:
    kinds = [p.kind for p in parameters if p.source in {Source.BODY, Source.FORM}]
    kinds += [p.as_json for p in parameters if p.as_json is not None]
    return [kind for kind in [*kinds, returned_by(operation.handler)] if _is_model(kind)]


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _operation(operation: Operation, parameters: list[Parameter]) -> Json:
    shown: Json = {"summary": operation.summary, "operationId": operation.id}
    if operation.tags:
        shown["tags"] = list(operation.tags)
    if told := inspect.getdoc(operation.handler):
        shown["description"] = told
    if listed := [entry for parameter in parameters for entry in _parameters(parameter)]:
        shown["parameters"] = listed
    for parameter in parameters:
        if parameter.source in {Source.BODY, Source.FORM}:
            kind = "multipart/form-data" if parameter.source is Source.FORM else "application/json"
            schema = {"$ref": _REF.format(model=parameter.kind.__name__)}
            shown["requestBody"] = {"required": not parameter.optional, "content": {kind: {"schema": schema}}}
        if parameter.as_json is not None:
            other = {"$ref": _REF.format(model=parameter.as_json.__name__)}
            shown["requestBody"]["content"]["application/json"] = {"schema": other}
        if parameter.source is Source.STREAM:
            shown["requestBody"] = {"content": {parameter.kind: {"schema": _BYTES}}}
    shown["responses"] = _responses(operation, parameters)
    if operation.scope is not None:
        shown["security"] = [{scheme: [] for scheme in _SECURITY_SCHEMES}]
    return shown


def _parameters(parameter: Parameter) -> list[Json]:
    if parameter.source is Source.PATH:
        title = parameter.name.replace("_", " ").title()
        schema = {**TypeAdapter(parameter.kind).json_schema(), "title": title}
        return [{"name": parameter.name, "in": "path", "required": True, "schema": schema}]
    if parameter.source not in {Source.QUERY, Source.HEADER}:
        return []
    whole = parameter.kind.model_json_schema()
    required = whole.get("required", [])
    listed = []
    for name, schema in whole["properties"].items():
        entry = {"name": name, "in": parameter.source.value, "required": name in required, "schema": schema}
        if "description" in schema:
            entry["description"] = schema["description"]
        listed.append(entry)
    return listed


def _responses(operation: Operation, parameters: list[Parameter]) -> Json:
    responses = _success(operation)
    by_status: dict[int, list[type[FrameloomError]]] = defaultdict(list)
    for kind in (*operation.errors, *_refusals(operation), *_ALWAYS):
        by_status[kind.status].append(kind)
    for status, kinds in sorted(by_status.items()):
        responses[str(status)] = _failure(operation, kinds)
    if any(parameter.source is not Source.CALLER for parameter in parameters):
        responses["422"] = _UNPROCESSABLE
    return responses


def _refusals(operation: Operation) -> tuple[type[FrameloomError], ...]:
    """How the guard may answer."""
    if operation.scope is None:
        return ()
    strict = (NotAuthenticatedError,) if operation.strict else ()
    scoped = () if operation.scope == ANY_KEY else (ScopeMissingError,)
    return (UnauthorizedError, *strict, *scoped, RateLimitedError)


def _failure(operation: Operation, kinds: list[type[FrameloomError]]) -> Json:
    told = [f"`{kind.code}`: {_meaning(kind)}" for kind in kinds]
    schema: Json = _ERROR_REF
    described: Json = {}
    if kinds[0].status in {TransientError.status, TooManyRequestsError.status}:
        described["headers"] = {"Retry-After": {"description": "Seconds", "schema": {"type": "integer"}}}
    if kinds[0].status == TransientError.status and operation.unavailable is not None:
        own = {"$ref": _REF.format(model=returned_by(operation.handler).__name__)}
        told.insert(0, operation.unavailable)
        schema = {"anyOf": [own, _ERROR_REF]}
    return {
        "description": "\n\n".join(told),
        **described,
        "content": {"application/json": {"schema": schema}},
    }


def _meaning(kind: type[FrameloomError]) -> str:
    if kind is FrameloomError:
        return "Something went wrong on the server; its log tells more."
    return (kind.__doc__ or "").strip().splitlines()[0]


def _may_lead(operation: Operation) -> bool:
    return any("redirect" in getattr(p.kind, "model_fields", {}) for p in parameters_of(operation.handler))


def _success(operation: Operation) -> Json:
    kind = returned_by(operation.handler)
    if kind is FileDownload:
        content = {} if operation.method == "HEAD" else {"content": _BINARY}
        whole: Json = {"description": "The file", "headers": _FILE_HEADERS, **content}
        part = {"206": {"description": "The range asked for", "headers": _FILE_HEADERS, **content}}
        same: Json = {"304": {"description": "The client has this version already"}}
        led = _ELSEWHERE if content and _may_lead(operation) else {}
        return {"200": whole, **(part if content else {}), **same, **led}
    if kind in {EventStream, Trickle}:
        schema = {"type": "string", "description": "Server-sent events"}
        return {"200": {"description": "The stream", "content": {"text/event-stream": {"schema": schema}}}}
    if kind is EventSocket:
        return {"101": {"description": "The WebSocket: text messages, each a JSON object"}}
    if kind is PlainText:
        text: Json = {"text/plain": {"schema": {"type": "string"}}}
        return {str(operation.status): {"description": "Successful Response", "content": text}}
    if not _is_model(kind):
        return {str(operation.status): {"description": "Done"}}
    content = {"application/json": {"schema": {"$ref": _REF.format(model=kind.__name__)}}}
    succeeded: Json = {str(operation.status): {"description": "Successful Response", "content": content}}
    if operation.slashless_status not in {None, operation.status}:
        succeeded[str(operation.slashless_status)] = {
            "description": "The same, when asked for without the last slash",
            "content": content,
        }
    return succeeded
