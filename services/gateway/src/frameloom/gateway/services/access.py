"""Everything about who may come in, put together."""

from __future__ import annotations

from dataclasses import dataclass

from frameloom.common.clock import Clock
from frameloom.common.ports.stores import KeyStore, SecretStore
from frameloom.gateway.services.bootstrap import ensure_first_key
from frameloom.gateway.services.keyring import KeyRing
from frameloom.gateway.services.keys import KeyService
from frameloom.gateway.services.secrets import Secrets
from frameloom.gateway.services.tokens import Tokens
from frameloom.gateway.settings import AuthSettings


@dataclass(frozen=True, slots=True)
class Access:
    """Who may come in.

    Attributes:
        required: Whether a key is asked for.
        ring: Finds keys; its ``running()`` is to be entered.
        tokens: Short-lived tokens.
        keys: Makes, revokes and rotates keys.
    """

    required: bool
    ring: KeyRing
    tokens: Tokens
    keys: KeyService

    @classmethod
    async def opened(
        cls, settings: AuthSettings, keys: KeyStore, secrets: SecretStore, clock: Clock
    ) -> Access:
        """Finds the secret and sees to it that there is a first key.

        Raises:
            ConfigurationError: The secret or the operator's key can not be used.
        """
        found = await Secrets.opened(settings, secrets)
        ring = KeyRing(keys, found, clock, cache_seconds=settings.cache_seconds)
        await ensure_first_key(settings, keys, ring, clock)
        service = KeyService(keys, ring, clock, expiry_days=settings.expiry_days)
        return cls(settings.required, ring, Tokens(found, ring, clock), service)
