"""The server's secret, and the keys for each purpose that are derived from it.

Whoever has the secret can sign tokens and can try keys against stolen hashes. So it comes from outside where
the operator gives it; otherwise it is drawn once and kept in the database.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass

import structlog

from frameloom.common.ports.stores import SecretStore
from frameloom.gateway.settings import AuthSettings

log = structlog.get_logger(__name__)
_STORED = "auth"
_RANDOM_BYTES = 32
_SALT = b"frameloom/auth/v1"


@dataclass(frozen=True)
class Secrets:
    """The secrets that are known, the one in use first.

    The second is the one from the time before the operator gave his own: what was made under it works on.
    """

    all: tuple[bytes, ...]

    @classmethod
    async def opened(cls, settings: AuthSettings, store: SecretStore) -> Secrets:
        """The operator's secret, or the one in the database, which is drawn where there is none yet.

        Raises:
            ConfigurationError: The operator's can not be used.
        """
        given = settings.secret_text()
        if given is not None:
            stored = await store.get(_STORED)
            return cls(tuple(text.encode() for text in (given, stored) if text is not None))
        stored = await store.ensure(_STORED, secrets.token_urlsafe(_RANDOM_BYTES))
        if settings.required:
            log.warning(
                "secret in the database",
                hint="Set FRAMELOOM_AUTH_SECRET in production, so that a copy of the database opens nothing.",
            )
        return cls((stored.encode(),))

    def derived(self, purpose: str) -> tuple[bytes, ...]:
        """A 32-byte key for one purpose, from each secret (HKDF-SHA256, RFC 5869).

        Different purposes have unrelated keys: a token for one is never good for another.
        """
        return tuple(_hkdf(secret, purpose.encode()) for secret in self.all)


def _hkdf(secret: bytes, info: bytes) -> bytes:
    """One block is all that is needed: extract, then the first step of expand."""
    extracted = hmac.digest(_SALT, secret, hashlib.sha256)
    return hmac.digest(extracted, info + b"\x01", hashlib.sha256)
