"""From what HTTP says to typed errors: the gateway's envelope, FastAPI's 422, and silence."""

from __future__ import annotations

from typing import Any

import httpx

from frameloom.client.errors import ClientError, RefusedError, ServerError, UnreachableError

_NOT_UP = "Is it running? Start one with `frameloom up`, or name another with --server"


def check(response: httpx.Response) -> None:
    """Passes a 2xx; the body must have been read.

    Raises:
        RefusedError: 4xx, with the server's own code, sentence and hint.
        ServerError: 5xx, or a status that no API should answer with.
    """
    if response.is_success:
        return
    status = response.status_code
    envelope = _envelope(response)
    kind = RefusedError if 400 <= status < 500 else ServerError
    raise kind(
        envelope.get("message") or _fallback(response),
        hint=envelope.get("hint") or _hint(status),
        code=envelope.get("code"),
        status=status,
        detail=envelope.get("detail"),
    )


def translate(error: Exception, server: str) -> ClientError:
    """The typed error for one of httpx's."""
    if isinstance(error, httpx.ConnectTimeout | httpx.ConnectError):
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
    said = [
        f"{'.'.join(str(part) for part in item.get('loc', ()))}: {item.get('msg', 'invalid')}"
        for item in items
        if isinstance(item, dict)
    ]
    return "; ".join(said) or None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _fallback(response: httpx.Response) -> str:
    return f"The server answered {response.status_code} {response.reason_phrase}".rstrip()


def _hint(status: int) -> str | None:
    if status in {401, 403}:
        return "Put a valid key into the environment variable FRAMELOOM_API_KEY"
    if status == 503:
        return "`frameloom doctor` tells which part of the server is down"
    return None
