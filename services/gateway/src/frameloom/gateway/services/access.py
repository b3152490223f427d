"""Everything about who may come in, put together."""

from __future__ import annotations

from dataclasses import dataclass

from frameloom.common.clock import Clock
from frameloom.common.ports.stores import KeyStore, SecretStore
from frameloom.gateway.services.bootstrap import ensure_first_key
from frameloom.gateway.services.keyring import KeyRing
from frameloom.gateway.services.keys import KeyService
from frameloom.gateway.services.rates import RateLimiter
from frameloom.gateway.services.secrets import Secrets
from frameloom.gateway.services.tokens import Tokens
from frameloom.gateway.settings import Settings
from frameloom.gateway.settings.limits import Network


@dataclass(frozen=True, slots=True)
class Access:
    """Who may come in.

    Attributes:
        required: Whether a key is asked for.
        ring: Finds keys; its ``running()`` is to be entered.
        tokens: Short-lived tokens.
        keys: Makes, revokes and rotates keys.
        rates: Counts requests.
        trusted_proxies: Whose word about addresses is taken.
    """

    required: bool
    ring: KeyRing
    tokens: Tokens
    keys: KeyService
    rates: RateLimiter
    trusted_proxies: tuple[Network, ...] = ()

    @classmethod
    async def opened(cls, settings: Settings, keys: KeyStore, secrets: SecretStore, clock: Clock) -> Access:
        """Finds the secret and sees to it that there is a first key.

        Raises:
            ConfigurationError: The secret or the operator's key can not be used.
        """
        auth, limits = settings.auth, settings.limits
        found = await Secrets.opened(auth, secrets)
        ring = KeyRing(keys, found, clock, cache_seconds=auth.cache_seconds)
        await ensure_first_key(auth, keys, ring, clock)
        return cls(
            required=auth.required,
            ring=ring,
            tokens=Tokens(found, ring, clock),
            keys=KeyService(keys, ring, clock, settings),
            rates=RateLimiter(limits),
            trusted_proxies=limits.trusted_proxies,
        )
