"""The stack's own first API key and secret, kept in its data directory."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from frameloom.local.servers.directory import DataDirectory

KEY_FILE = "api-key"
"""Where a client of the stack finds its key."""
ADDRESS_FILE = "address"
"""Where the stack's gateway listens, so that a client sends that key to it and to no other server."""
_SECRET_FILE = "auth-secret"  # noqa: S105 - the name of the file, not its content
_KEY, _SECRET = "FRAMELOOM_AUTH_INITIAL_KEY", "FRAMELOOM_AUTH_SECRET"
_RANDOM_BYTES = 32
_FIRST_START = """
The API key of this stack, made just now:

    {key}

It is kept in {path}. The frameloom command finds it there by itself, if
that is the usual data folder or FRAMELOOM_DATA names it.
Other clients send it as: Authorization: Bearer {key}

"""


@dataclass(frozen=True, slots=True)
class LocalAccess:
    """How to get into a stack.

    Attributes:
        api_key: Allows everything.
        secret: What the gateway keeps keys under.
        path: The file that holds the key.
        fresh: Whether the key was made just now.
    """

    api_key: str
    secret: str
    path: Path
    fresh: bool

    @classmethod
    def of(cls, directory: DataDirectory, given: Mapping[str, str] = os.environ) -> Self:
        """What lies in the directory, made the first time; what the environment names comes before it.

        Raises:
            EmbeddedStackError: A file can not be read.
        """
        own_secret, _ = directory.secret(_SECRET_FILE, lambda: secrets.token_urlsafe(_RANDOM_BYTES))
        secret, named = given.get(_SECRET) or own_secret, given.get(_KEY)
        if named:
            directory.keep(KEY_FILE, named)  # so that clients of the stack find the key that works
            return cls(named, secret, directory.root / KEY_FILE, fresh=False)
        key, fresh = directory.secret(KEY_FILE, lambda: f"va_{secrets.token_urlsafe(_RANDOM_BYTES)}")
        return cls(key, secret, directory.root / KEY_FILE, fresh)

    def environment(self) -> dict[str, str]:
        """What a gateway needs to know."""
        return {_KEY: self.api_key, _SECRET: self.secret}

    def first_words(self) -> str:
        """What a user is told at the first start; empty later."""
        return _FIRST_START.format(key=self.api_key, path=self.path) if self.fresh else ""
