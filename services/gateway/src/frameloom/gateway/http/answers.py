"""What handlers return, turned into responses; errors too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from pydantic import BaseModel, TypeAdapter

from frameloom.common.errors import FrameloomError, TransientError
from frameloom.gateway.errors import (
    RangeNotSatisfiableError,
    RequestInvalidError,
    TooManyRequestsError,
    UnauthorizedError,
)
from frameloom.gateway.schemas.errors import ErrorDetail, ErrorResponse

_RETRY_AFTER_SECONDS = 2


@dataclass(frozen=True, slots=True)
class PlainText:
    """An answer that is no JSON.

    Attributes:
        body: As it is sent.
        content_type: With its parameters.
    """

    body: bytes
    content_type: str = "text/plain; charset=utf-8"


_ANY: TypeAdapter[Any] = TypeAdapter(Any)


def json_response(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A JSON response; models and times are known."""
    data = body.__pydantic_serializer__.to_json(body) if isinstance(body, BaseModel) else _ANY.dump_json(body)
    return web.Response(body=data, status=status, content_type="application/json", headers=headers)


def error_response(error: FrameloomError) -> web.Response:
    """The envelope of an error, or FastAPI's plain form for parameters that do not fit."""
    if isinstance(error, RequestInvalidError):
        return json_response({"detail": error.problems}, error.status)
    headers: dict[str, str] = {}
    if isinstance(error, TransientError):
        headers["Retry-After"] = str(_RETRY_AFTER_SECONDS)
    if isinstance(error, TooManyRequestsError) and error.retry_seconds is not None:
        headers["Retry-After"] = str(error.retry_seconds)
    if isinstance(error, UnauthorizedError):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, RangeNotSatisfiableError):
        headers["Content-Range"] = f"bytes */{error.size_bytes}"
    return envelope(
        error.status, error.code, error.message, hint=error.hint, detail=error.detail, headers=headers
    )


def envelope(
    status: int,
    code: str,
    message: str,
    *,
    hint: str | None = None,
    detail: dict[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """An error of any origin in the envelope."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    body = ErrorResponse(
        error=ErrorDetail(code=code, message=message, hint=hint, detail=detail, timestamp=now), detail=message
    )
    return json_response(body.model_dump(exclude_none=True), status, headers)
