"""What may become of an API key: it can be revoked, and replaced by another with an overlap."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from frameloom.common.documents import ApiKey
from frameloom.common.machines.transition import Change, Refused


def revoke(key: ApiKey, now: datetime) -> Change[ApiKey]:
    """Ends a key at once.

    Raises:
        Refused: It is revoked already.
    """
    if key.revoked_at is not None:
        raise Refused("revoke", "revoked")
    return _change(key, revoked_at=now)


def replace(key: ApiKey, successor: str, now: datetime, overlap_seconds: float) -> Change[ApiKey]:
    """Names the key that takes over; the old one works on for the overlap, and never longer than it had.

    Raises:
        Refused: It does not work any more, or has a successor already.
    """
    if not key.works(now):
        raise Refused("replace", "ended")
    if key.replaced_by is not None:
        raise Refused("replace", "replaced")
    return _change(key, replaced_by=successor, retires_at=now + timedelta(seconds=overlap_seconds))


def _change(key: ApiKey, **fields: Any) -> Change[ApiKey]:
    return Change(before=key, after=key.model_copy(update={"rev": key.rev + 1, **fields}))
