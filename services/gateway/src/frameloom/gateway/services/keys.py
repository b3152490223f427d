"""Making, listing, revoking and rotating keys.

An admin key rules over the keys of its own tenant. The operator, which is an admin of the tenant ``default``,
rules over everybody's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

import structlog

from frameloom.common.cas import transact
from frameloom.common.clock import Clock, new_id
from frameloom.common.documents import ApiKey, KeyLimits
from frameloom.common.machines.key import replace, revoke
from frameloom.common.machines.transition import Refused
from frameloom.common.ports.stores import KeyStore
from frameloom.gateway.errors import (
    KeyEndedError,
    KeyNotFoundError,
    LimitsForbiddenError,
    OtherTenantError,
    UnauthorizedError,
)
from frameloom.gateway.services.bootstrap import drawn, prefix_of
from frameloom.gateway.services.caller import Caller, Scope
from frameloom.gateway.services.keyring import KeyRing
from frameloom.gateway.services.limits import Limits, effective
from frameloom.gateway.settings import Settings

log = structlog.get_logger(__name__)


class KeyStatus(StrEnum):
    """How a key stands."""

    ACTIVE = "active"
    RETIRING = "retiring"
    """Replaced, and still in its overlap."""
    REPLACED = "replaced"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A key that somebody asks for.

    Attributes:
        name: For people.
        tenant: Whose it shall be; None: its maker's.
        scopes: What it shall allow.
        expires_in_days: None: as the settings say; 0: never.
        limits: What it may use.
    """

    name: str
    scopes: Sequence[Scope]
    tenant: str | None = None
    expires_in_days: int | None = None
    limits: KeyLimits = field(default_factory=KeyLimits)


@dataclass(frozen=True, slots=True)
class Shown:
    """A key, how it stands, and the key itself where it was made just now: nobody can see it later."""

    key: ApiKey
    status: KeyStatus
    text: str | None = None


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """What is known about the key of a request.

    Attributes:
        shown: The key; None: the request came without one, or with a token of nobody's key.
        scopes: What the request may do, which with a token may be less than the key.
        limits: What the key may use; None: it came without one, and nothing is counted.
    """

    shown: Shown | None
    tenant: str
    scopes: tuple[Scope, ...]
    limits: Limits | None


class KeyService:
    """The keys that a caller rules over."""

    def __init__(self, store: KeyStore, ring: KeyRing, clock: Clock, settings: Settings) -> None:
        self._store = store
        self._ring = ring
        self._clock = clock
        self._expiry_days = settings.auth.expiry_days
        self._limits = settings.limits

    async def create(self, caller: Caller, wanted: Wanted) -> Shown:
        """Makes a key.

        Raises:
            OtherTenantError: The caller makes none for that tenant.
            LimitsForbiddenError: The caller may not choose limits.
        """
        tenant = wanted.tenant or caller.tenant
        if tenant != caller.tenant and not caller.operates:
            raise OtherTenantError(tenant)
        if wanted.limits != KeyLimits() and not caller.operates:
            raise LimitsForbiddenError
        days = self._expiry_days if wanted.expires_in_days is None else wanted.expires_in_days
        now, text = self._clock.now(), drawn()
        key = ApiKey(
            id=new_id(),
            hash=self._ring.hash(text),
            prefix=prefix_of(text),
            name=wanted.name,
            tenant=tenant,
            scopes=tuple(dict.fromkeys(scope.value for scope in wanted.scopes)),
            created_at=now,
            expires_at=now + timedelta(days=days) if days else None,
            limits=wanted.limits,
        )
        return await self._stored(key, text)

    async def keys(self, caller: Caller) -> list[Shown]:
        """The keys that the caller rules over, oldest first."""
        found = await self._store.of_tenant(None if caller.operates else caller.tenant)
        return [self._shown(key) for key in found]

    async def get(self, caller: Caller, key_id: str) -> Shown:
        """One key.

        Raises:
            KeyNotFoundError: There is none, or the caller does not rule over it.
        """
        return self._shown(await self._own(caller, key_id))

    async def revoke(self, caller: Caller, key_id: str) -> None:
        """Ends a key at once; again changes nothing.

        Raises:
            KeyNotFoundError: There is none, or the caller does not rule over it.
        """
        known = await self._own(caller, key_id)
        now = self._clock.now()
        try:
            key = await transact(self._store, key_id, lambda current: revoke(current, now), known=known)
        except Refused:
            return
        self._ring.remember(key)
        log.info("key revoked", key_id=key.id, prefix=key.prefix)
        for lent in await self._store.of_tenant(key.tenant):
            if lent.made_with == key.id and lent.works(now):
                await self.revoke(caller, lent.id)

    async def lend(
        self, caller: Caller, key_id: str, name: str, scopes: Sequence[Scope], lifetime: timedelta
    ) -> Shown | None:
        """Makes a key with part of what the caller's own key allows, which counts under it and ends with it.

        Args:
            caller: Whose key lends; where no keys are asked for, nobody's.
            key_id: The new key's id.
            name: For people.
            scopes: What the new key allows, as far as the caller may.
            lifetime: How long it works at most.

        Returns:
            The key; None: there is one of this id already.

        Raises:
            UnauthorizedError: The caller's key has ended meanwhile.
        """
        now, text = self._clock.now(), drawn()
        lender = await self._store.get(caller.key_id) if caller.key_id else None
        if caller.key_id is not None and (lender is None or not lender.works(now)):
            raise UnauthorizedError.wrong()
        ends = [now + lifetime, *filter(None, (lender.expires_at, lender.retires_at) if lender else ())]
        key = ApiKey(
            id=key_id,
            hash=self._ring.hash(text),
            prefix=prefix_of(text),
            name=name,
            tenant=caller.tenant,
            scopes=tuple(scope.value for scope in scopes if caller.may(scope)),
            created_at=now,
            expires_at=min(ends),
            line=lender.account if lender else None,
            made_with=lender.id if lender else None,
            limits=lender.limits if lender else KeyLimits(),
        )
        return await self._inserted(key, text)

    async def rotate(self, caller: Caller, key_id: str, overlap_seconds: float) -> Shown:
        """Makes a successor with the same name, tenant, scopes, limits and length of life.

        The successor is stored first: if anything breaks off, the old key goes on working.

        Raises:
            KeyNotFoundError: There is none, or the caller does not rule over it.
            KeyEndedError: It does not work any more, or has a successor already.
        """
        old, text, now = await self._own(caller, key_id), drawn(), self._clock.now()
        lifetime = old.expires_at - old.created_at if old.expires_at else None
        successor = ApiKey(
            id=new_id(),
            hash=self._ring.hash(text),
            prefix=prefix_of(text),
            name=old.name,
            tenant=old.tenant,
            scopes=old.scopes,
            created_at=now,
            expires_at=now + lifetime if lifetime else None,
            replaces=old.id,
            line=old.account,
            limits=old.limits,
        )
        if not old.works(now) or old.replaced_by is not None:
            raise KeyEndedError(key_id, status_of(old, now))
        shown = await self._stored(successor, text)
        try:
            retired = await transact(
                self._store,
                key_id,
                lambda current: replace(current, successor.id, now, overlap_seconds),
                known=old,
            )
        except Refused:
            await transact(self._store, successor.id, lambda current: revoke(current, now))
            raise KeyEndedError(key_id, status_of(await self._own(caller, key_id), now)) from None
        self._ring.remember(retired)
        log.info("key rotated", key_id=key_id, successor=successor.id, overlap_seconds=overlap_seconds)
        return shown

    async def info(self, caller: Caller) -> KeyFacts:
        """What is known about the key that a request came with."""
        key = await self._store.get(caller.key_id) if caller.key_id else None
        shown = self._shown(key) if key is not None and key.tenant == caller.tenant else None
        limits = effective(self._limits, key.limits) if shown is not None and key is not None else None
        return KeyFacts(shown, caller.tenant, tuple(sorted(caller.scopes)), limits)

    async def _own(self, caller: Caller, key_id: str) -> ApiKey:
        key = await self._store.get(key_id)
        if key is None or not (caller.operates or key.tenant == caller.tenant):
            raise KeyNotFoundError(key_id)
        return key

    async def _stored(self, key: ApiKey, text: str) -> Shown:
        made = await self._inserted(key, text)
        assert made is not None, "ids and keys are drawn from far too many to meet twice"
        return made

    async def _inserted(self, key: ApiKey, text: str) -> Shown | None:
        if not await self._store.insert(key):
            return None
        self._ring.remember(key)
        log.info("key made", key_id=key.id, prefix=key.prefix, tenant=key.tenant, scopes=list(key.scopes))
        return Shown(key, status_of(key, self._clock.now()), text)

    def _shown(self, key: ApiKey) -> Shown:
        return Shown(key, status_of(key, self._clock.now()))


def status_of(key: ApiKey, now: datetime) -> KeyStatus:
    """How a key stands."""
    if key.revoked_at is not None:
        return KeyStatus.REVOKED
    if key.expires_at is not None and now >= key.expires_at:
        return KeyStatus.EXPIRED
    if key.replaced_by is not None:
        return KeyStatus.RETIRING if key.works(now) else KeyStatus.REPLACED
    return KeyStatus.ACTIVE
