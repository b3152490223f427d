"""An API key as the database knows it: never the key itself, only a keyed hash of it."""

from __future__ import annotations

from datetime import datetime

from frameloom.common.documents.base import Document, Part


class KeyLimits(Part):
    """What a key may use; None: what the server's settings say, 0: no limit."""

    requests_per_second: float | None = None
    burst: int | None = None
    concurrent_jobs: int | None = None
    stored_bytes: int | None = None


class ApiKey(Document):
    """One API key.

    Attributes:
        hash: HMAC-SHA256 of the key with the server's secret, hexadecimal. Unique.
        prefix: The first eight characters, by which people tell keys apart.
        name: What its owner calls it.
        tenant: Whose jobs it sees.
        scopes: What it allows; one that this version does not know allows nothing.
        expires_at: It works until then; None: for ever.
        last_used_at: Written at most once a minute.
        revoked_at: It works no more since then.
        replaced_by: The key that was made for it by a rotation.
        retires_at: The end of the overlap of that rotation: it works until then.
        replaces: The key that it was made for.
        line: The first key of its line of rotations, under which its use is counted; None: itself.
        made_with: The key that lent it what it allows, and with whose revocation it ends; None: none did.
    """

    hash: str
    prefix: str
    name: str
    tenant: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None
    replaced_by: str | None = None
    retires_at: datetime | None = None
    replaces: str | None = None
    line: str | None = None
    made_with: str | None = None
    limits: KeyLimits = KeyLimits()

    @property
    def account(self) -> str:
        """What its use is counted under: a rotation takes it over."""
        return self.line or self.id

    def works(self, now: datetime) -> bool:
        """Whether it opens anything at this time."""
        ends = (self.expires_at, self.retires_at)
        return self.revoked_at is None and all(end is None or now < end for end in ends)
