"""How VideoAnnotator's command speaks: lines with a tag in front, and exit code 1 for whatever goes wrong."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from frameloom.client.credentials import SERVER_VARIABLE, find_key
from frameloom.client.errors import ClientError, UnreachableError
from frameloom.client.render.output import print_line, shown

if TYPE_CHECKING:
    from frameloom.client.sync import Client

VERSION = "1.4.4"
"""The VideoAnnotator release whose command line this is."""
Server = Annotated[str, typer.Option(help="API server URL", envvar=SERVER_VARIABLE)]
LOCAL = "http://localhost:18011"


def echo(text: str = "", *, err: bool = False) -> None:
    """A line."""
    print_line(shown(text), sys.stderr if err else sys.stdout)


def document(value: Any) -> None:
    """JSON as VideoAnnotator prints it."""
    print_line(json.dumps(value, indent=2, default=str), sys.stdout)


def stop(*lines: str, code: int = 1) -> NoReturn:
    """Says why on standard error, and ends."""
    for line in lines:
        echo(line, err=True)
    raise typer.Exit(code)


@contextmanager
def connected(server: str, *hints: str) -> Iterator[Client]:
    """A connection to the server, with its key where there is one.

    Args:
        server: Its address.
        hints: Further lines where nobody answers.
    """
    from frameloom.client.sync import Client  # noqa: PLC0415 - imports at need keep `--help` quick

    try:
        with Client(server, api_key=find_key(server)) as client:
            yield client
    except UnreachableError as error:
        echo(f"[ERROR] Failed to connect to API server: {error.message}", err=True)
        for hint in hints:
            echo(hint)
        raise typer.Exit(1) from None


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Tells a refusal in one line, with the server's own words and what to do about them."""
    try:
        yield
    except UnreachableError:
        raise
    except ClientError as error:
        hint = f" ({error.hint})" if error.hint else ""
        if error.status is None:
            stop(f"[ERROR] {what}: {error.message}{hint}")
        echo(f"[ERROR] {what}: {error.status}")
        echo(f"Response: {error.message}{hint}")
        raise typer.Exit(1) from None
