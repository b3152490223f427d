"""Who may use the gateway: keys, and the secret that they are kept under."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from frameloom.common.errors import ConfigurationError

_SHORTEST_SECRET = 32
KEY_FORM = re.compile(r"va_[A-Za-z0-9_-]{40,125}")
"""``va_`` and, as the gateway makes them, 32 random bytes in URL-safe base64."""


class AuthSettings(BaseSettings):
    """Who may use the gateway: API keys, and the secret that they are kept under."""

    model_config = SettingsConfigDict(
        env_prefix="FRAMELOOM_AUTH_", frozen=True, populate_by_name=True, env_ignore_empty=True
    )

    required: bool = Field(
        default=True,
        validation_alias=AliasChoices("FRAMELOOM_AUTH_REQUIRED", "AUTH_REQUIRED", "SECURITY_ENABLED"),
    )
    """Whether requests need an API key; also read from VideoAnnotator's ``AUTH_REQUIRED`` and
    ``SECURITY_ENABLED``. Off: whoever reaches the gateway may do everything, for a machine of one's own."""
    secret: SecretStr | None = None
    """At least 32 characters, the same for all gateways; keys are stored as an HMAC under it, and short-lived
    tokens are signed with it. Not set: one is made once and kept in the database, where whoever reads the
    database finds it beside the keys' hashes. Keys made before it was set go on working; keys made under it
    end when it changes."""
    secret_file: Path | None = None
    """A file with the secret, instead of the variable."""
    initial_key: SecretStr | None = None
    """A key of the operator's own making that works from the start, with all scopes, for the tenant
    ``default``: ``va_`` and at least 40 of the characters A-Z, a-z, 0-9, ``_``, ``-``. It has no expiry."""
    initial_key_file: Path | None = None
    """A file with that key, instead of the variable."""
    auto_generate_key: bool = Field(
        default=True,
        validation_alias=AliasChoices("FRAMELOOM_AUTH_AUTO_GENERATE_KEY", "AUTO_GENERATE_API_KEY"),
    )
    """Whether a gateway that finds no key at all makes one and prints it once on standard error; also read
    from VideoAnnotator's ``AUTO_GENERATE_API_KEY``."""
    cache_seconds: float = Field(default=5.0, ge=0, le=60)
    """How long a gateway trusts what it has read about a key: a key revoked through another gateway works for
    at most this long here."""
    expiry_days: int = Field(default=365, ge=1)
    """How long a new key works when its maker does not say."""

    def secret_text(self) -> str | None:
        """The secret, from wherever it is given.

        Raises:
            ConfigurationError: It is too short, or its file can not be read.
        """
        text = _given(self.secret, self.secret_file, "FRAMELOOM_AUTH_SECRET_FILE")
        if text is not None and len(text) < _SHORTEST_SECRET:
            raise ConfigurationError(
                f"FRAMELOOM_AUTH_SECRET has fewer than {_SHORTEST_SECRET} characters",
                hint="Make one with: openssl rand -hex 32",
            )
        return text

    def initial_key_text(self) -> str | None:
        """The operator's own first key, if there is one.

        Raises:
            ConfigurationError: It has not the form of a key, or its file can not be read.
        """
        text = _given(self.initial_key, self.initial_key_file, "FRAMELOOM_AUTH_INITIAL_KEY_FILE")
        if text is not None and not KEY_FORM.fullmatch(text):
            raise ConfigurationError(
                "FRAMELOOM_AUTH_INITIAL_KEY is no key: va_ and at least 40 of A-Z, a-z, 0-9, _, -",
                hint="Make one with: echo va_$(openssl rand -hex 32)",
            )
        return text


def _given(value: SecretStr | None, file: Path | None, variable: str) -> str | None:
    if value is not None:
        return value.get_secret_value()
    if file is None:
        return None
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"{variable}: {file} can not be read: {getattr(error, 'strerror', None) or error}",
            hint="Name a text file that the gateway may read.",
        ) from error
