"""Short-lived signed tokens, for where a key must not be: in an address, in a page, in a log.

A token names its tenant, its key, what it allows and when it ends, and is good for one purpose only. Nothing
of it is stored: reading one asks no database. It ends early when this gateway knows that its key has ended.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Literal

from itsdangerous import BadData, URLSafeSerializer
from pydantic import BaseModel, ConfigDict, ValidationError

from frameloom.common.clock import Clock
from frameloom.gateway.errors import UnauthorizedError
from frameloom.gateway.services.caller import Caller, Scope
from frameloom.gateway.services.keyring import KeyRing
from frameloom.gateway.services.secrets import Secrets

Purpose = Literal["events", "viewer"]
"""What a token may be for. Each has a signing key of its own."""
_SIGNER = {"digest_method": hashlib.sha256, "key_derivation": "hmac"}


class _Claims(BaseModel):
    """What a token says; short names, because it stands in addresses."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    t: str
    k: str | None
    s: tuple[Scope, ...]
    e: int
    j: str | None = None
    a: str | None = None


class Tokens:
    """Issues and reads tokens."""

    def __init__(self, secrets: Secrets, ring: KeyRing, clock: Clock) -> None:
        self._secrets = secrets
        self._ring = ring
        self._clock = clock
        self._serializers: dict[str, URLSafeSerializer] = {}

    def issue(
        self,
        caller: Caller,
        purpose: Purpose,
        ttl: timedelta,
        *,
        scopes: Iterable[Scope] | None = None,
        job_id: str | None = None,
    ) -> str:
        """A token that stands for this caller.

        Args:
            caller: For whom. A token never allows more than its caller may.
            purpose: What it is good for, and nothing else.
            ttl: How long it works; whole seconds, rounded up. Keep it to minutes.
            scopes: Only these of the caller's scopes; None: all of them.
            job_id: Only for this job: :attr:`Caller.job_id` when it is read. Whether the job is the caller's
                is for the service to check.

        Returns:
            URL-safe text.
        """
        allowed = caller.scopes if scopes is None else {s for s in scopes if caller.may(s)}
        end = -int(-(self._clock.now() + ttl).timestamp() // 1)
        claims = _Claims(
            t=caller.tenant, k=caller.key_id, s=tuple(sorted(allowed)), e=end, j=job_id, a=caller.line
        )
        text: str = self._serializer(purpose).dumps(claims.model_dump(mode="json", exclude_none=True))
        return text

    def read(self, token: str, purpose: Purpose) -> Caller:
        """The caller whom a token stands for.

        Raises:
            UnauthorizedError: It is none of ours, has ended, is for something else, or its key has ended.
        """
        try:
            claims = _Claims.model_validate({"k": None, **self._serializer(purpose).loads(token)})
        except (BadData, ValidationError, TypeError) as error:
            raise UnauthorizedError.wrong() from error
        if self._clock.now() >= datetime.fromtimestamp(claims.e, UTC):
            raise UnauthorizedError.wrong()
        if claims.k is not None and self._ring.ended(claims.k):
            raise UnauthorizedError.wrong()
        return Caller(
            tenant=claims.t,
            key_id=claims.k,
            scopes=frozenset(claims.s),
            job_id=claims.j,
            line=claims.a,
        )

    def _serializer(self, purpose: Purpose) -> URLSafeSerializer:
        if purpose not in self._serializers:
            newest_last = list(reversed(self._secrets.derived(f"token/{purpose}")))
            self._serializers[purpose] = URLSafeSerializer(
                newest_last, salt=f"frameloom/token/{purpose}", signer_kwargs=_SIGNER
            )
        return self._serializers[purpose]
