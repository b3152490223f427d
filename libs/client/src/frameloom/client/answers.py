"""From what HTTP says to typed errors: the gateway's envelope, FastAPI's 422, and silence."""

from __future__ import annotations

from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from frameloom.client.credentials import Key
from frameloom.client.errors import (
    AuthenticationError,
    ClientError,
    ConflictError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    RefusedError,
    ServerError,
    UnavailableError,
    UnreachableError,
)
from frameloom.client.retries import insecure, retry_after

_Model = TypeVar("_Model", bound=BaseModel)
_KINDS: dict[int, type[ClientError]] = {
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    429: RateLimitedError,
    503: UnavailableError,
}
_LISTS = {
    "JOB_NOT_FOUND": "`frameloom jobs` lists those that there are",
    "KEY_NOT_FOUND": "`frameloom keys list` lists those that there are",
    "PIPELINE_NOT_FOUND": "`frameloom pipelines` lists those that there are",
}
"""What to do about an unknown id, by the error's code: the server's hints speak of HTTP."""
_NOT_UP = "Is it running? Start one with `frameloom up`, or name another with --server"


def check(response: httpx.Response, key: Key | None = None) -> None:
    """Passes a 2xx; the body must have been read.

    Args:
        response: The answer.
        key: The key that was sent with the request.

    Raises:
        RefusedError: 4xx, with the server's own code, sentence and hint.
        ServerError: 5xx, or a status that no API should answer with.
    """
    if response.is_success:
        return
    status = response.status_code
    envelope = _envelope(response)
    kind = _KINDS.get(status) or (RefusedError if 400 <= status < 500 else ServerError)
    error = kind(
        envelope.get("message") or _fallback(response),
        hint=_hint(status, envelope.get("code"), key, envelope.get("hint")),
        code=_code(envelope, kind),
        status=status,
        detail=envelope.get("detail"),
    )
    if isinstance(error, RateLimitedError | UnavailableError):
        error.retry_after_seconds = retry_after(response)
    raise error


def translate(error: Exception, server: str) -> ClientError:
    """The typed error for one of httpx's."""
    if isinstance(error, httpx.ConnectTimeout | httpx.ConnectError):
        if (reason := insecure(error)) is not None:
            return UnreachableError(
                f"There is no secure connection to {server}: {reason}",
                hint="Name the certificate of its authority in SSL_CERT_FILE; or is it http, not https?",
            )
        return UnreachableError(f"No server answers at {server}", hint=_NOT_UP)
    if isinstance(error, httpx.TimeoutException):
        return UnreachableError(
            f"The server at {server} did not answer in time", hint="`frameloom doctor` tells how it is"
        )
    if isinstance(error, httpx.TransportError):
        return UnreachableError(
            f"The connection to {server} broke: {error or type(error).__name__}",
            hint="`frameloom doctor` tells how the server is",
        )
    return ServerError(f"The server at {server} can not be understood: {error or type(error).__name__}")


def parse(model: type[_Model], response: httpx.Response) -> _Model:
    """The answer's body, typed.

    Raises:
        ServerError: It is not what this API answers.
    """
    try:
        return model.model_validate_json(response.content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the body"
        raise ServerError(
            f"The server's answer to {response.request.url.path} can not be understood: "
            f"{place}: {first['msg']}",
            hint="Is this the address of a Frameloom gateway? `frameloom doctor` tells",
            status=response.status_code,
        ) from error


def json_object(response: httpx.Response) -> dict[str, Any]:
    """The answer's body, an object of no fixed shape.

    Raises:
        ServerError: It is none.
    """
    try:
        document = response.json()
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise ServerError(
            f"The server's answer to {response.request.url.path} is no JSON object",
            hint="Is this the address of a Frameloom gateway?",
            status=response.status_code,
        )
    return document


def _envelope(response: httpx.Response) -> dict[str, Any]:
    """``{code, message, hint, detail}`` from any of the three shapes of an error body."""
    try:
        document = response.json()
    except ValueError:
        return {}
    if not isinstance(document, dict):
        return {}
    error = document.get("error")
    if isinstance(error, dict):
        return {
            "code": _text(error.get("code")),
            "message": _text(error.get("message")) or _text(document.get("detail")),
            "hint": _text(error.get("hint")),
            "detail": error.get("detail") if error.get("detail") != error.get("message") else None,
        }
    detail = document.get("detail")
    if isinstance(detail, list):
        return {"code": "VALIDATION", "message": _problems(detail), "detail": detail}
    return {"message": _text(detail)}


def _problems(items: list[Any]) -> str | None:
    said = [f"{_place(item)}{item.get('msg', 'invalid')}" for item in items if isinstance(item, dict)]
    return "; ".join(said) or None


def _place(item: dict[str, Any]) -> str:
    """What a problem is about, without the part of the request in which it stood: ``scopes[1]: ``."""
    _, *path = item.get("loc") or [None]
    place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return f"{place.removeprefix('.')}: " if place else ""


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _fallback(response: httpx.Response) -> str:
    return f"The server answered {response.status_code} {response.reason_phrase}".rstrip()


def _code(envelope: dict[str, Any], kind: type[ClientError]) -> str:
    """The server's own code; its catch-all for old errors says less than the kind."""
    code = envelope.get("code")
    return kind.code if code in {None, "HTTP_ERROR"} else str(code)


def _hint(status: int, code: str | None, key: Key | None, told: str | None) -> str | None:
    """What to do. About a key we know more than the server: whether there was one, and where it came from."""
    if status == 401:
        if key is None:
            return "Put a key into FRAMELOOM_API_KEY, or name a file with one: --key-file FILE"
        return (
            f"The key came from {key.origin}: is it one of this server's? "
            "It may have expired, or been revoked"
        )
    if status == 403:
        if key is None:
            return "Put a key into FRAMELOOM_API_KEY, or name a file with one: --key-file FILE"
        return told or f"The key came from {key.origin}; `frameloom keys list` tells what it allows"
    if status == 503 and told is None:
        return "`frameloom doctor` tells which part of the server is down"
    speaks_of_http = status == 404 and (told is None or "GET /" in told)
    return _LISTS.get(code or "", told) if speaks_of_http else told
