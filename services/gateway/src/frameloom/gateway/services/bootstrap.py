"""The first key: the operator's own, or one that is drawn on an empty database and shown once."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid5

import structlog

from frameloom.common.clock import Clock, new_id
from frameloom.common.documents import ApiKey
from frameloom.common.ports.stores import KeyStore
from frameloom.gateway.services.caller import DEFAULT_TENANT, Scope
from frameloom.gateway.services.keyring import KeyRing
from frameloom.gateway.settings import AuthSettings

log = structlog.get_logger(__name__)
_FIRST = str(uuid5(UUID("0d0f2c52-51c9-4f0e-8a54-6a3f7d3c8b11"), "first key"))
"""One id for all gateways, so that of several that start at once one makes the key."""
_RANDOM_BYTES = 32
_SHOWN_PREFIX = 8
_BLOCK = """
{line}
  Frameloom made its first API key. It is shown only this once:

      {key}

  It allows everything, until {until:%Y-%m-%d}. Send it as a header:

      Authorization: Bearer {key}

  Or: export FRAMELOOM_API_KEY={key}
{line}

"""


def drawn() -> str:
    """A new key of 46 characters, as VideoAnnotator makes them: ``va_`` and 32 random bytes in base64."""
    return f"va_{secrets.token_urlsafe(_RANDOM_BYTES)}"


def prefix_of(text: str) -> str:
    """What people may see of a key."""
    return text[:_SHOWN_PREFIX]


def on_standard_error(text: str) -> None:
    """Shows a key to whoever started the gateway; it goes into no log line."""
    sys.stderr.write(text)
    sys.stderr.flush()


async def ensure_first_key(
    settings: AuthSettings,
    store: KeyStore,
    ring: KeyRing,
    clock: Clock,
    show: Callable[[str], None] = on_standard_error,
) -> None:
    """Sees to it that somebody can get in.

    Raises:
        ConfigurationError: The operator's key has not the form of one.
    """
    given = settings.initial_key_text()
    if given is not None:
        await _ensure_given(given, store, ring, clock)
    elif settings.required and settings.auto_generate_key and not await store.any():
        text = drawn()
        until = clock.now() + timedelta(days=settings.expiry_days)
        key = _admin(_FIRST, "first key", text, ring, clock).model_copy(update={"expires_at": until})
        if await store.insert(key):
            show(_BLOCK.format(line="=" * 78, key=text, until=until))
            log.info("first key made", key_id=key.id)


async def _ensure_given(text: str, store: KeyStore, ring: KeyRing, clock: Clock) -> None:
    known = await ring.known(text)
    if known is None:
        key = _admin(new_id(), "initial key", text, ring, clock)
        if await store.insert(key):
            log.info("initial key taken in", key_id=key.id)
        return
    if not known.works(clock.now()):
        log.warning(
            "initial key has ended",
            key_id=known.id,
            hint="It was revoked or replaced, and stays so; give another FRAMELOOM_AUTH_INITIAL_KEY.",
        )


def _admin(key_id: str, name: str, text: str, ring: KeyRing, clock: Clock) -> ApiKey:
    return ApiKey(
        id=key_id,
        hash=ring.hash(text),
        prefix=prefix_of(text),
        name=name,
        tenant=DEFAULT_TENANT,
        scopes=(Scope.ADMIN.value,),
        created_at=clock.now(),
    )
