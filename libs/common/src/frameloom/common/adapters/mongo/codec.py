"""Documents to BSON and back, and changes to update statements."""

from __future__ import annotations

from enum import Enum
from typing import Any, TypeVar

from frameloom.common.documents.base import Document
from frameloom.common.machines.transition import Change, Guard

D = TypeVar("D", bound=Document)
Bson = dict[str, Any]

# Lists that grow at the end only, and the flag that says there is something new in each. A relay empties the
# list and lowers the flag beside us, without a new revision: so the list is pushed, not set, and its flag is
# raised with every push, also when it looked raised already in the copy that was decided on.
_APPENDED = {"events": "relay_due", "outbox": "pending_fold"}


def encode(document: Document) -> Bson:
    """The document as it is stored, its id under ``_id``."""
    fields = _plain(document.model_dump())
    return {"_id": fields.pop("id"), **fields}


def decode(kind: type[D], stored: Bson) -> D:
    """The document that was stored."""
    fields = dict(stored)
    return kind.model_validate({"id": fields.pop("_id"), **fields})


def update_of(change: Change[D]) -> Bson | list[Bson]:
    """The update statement of a change: only the fields that differ, only the events that are new."""
    before, after = encode(change.before), encode(change.after)
    fields = {k: v for k, v in after.items() if k not in _APPENDED and v != before.get(k)}
    pushed = {k: after[k][len(before[k]) :] for k in _APPENDED if k in after and after[k] != before[k]}
    fields |= {_APPENDED[name]: True for name in pushed}
    if change.lease_seconds is None and change.delay_seconds is None:
        push = {name: {"$each": items} for name, items in pushed.items()}
        return {"$set": fields, **({"$push": push} if push else {})}
    # Only a pipeline update can read the database's clock.
    stage: Bson = {name: {"$literal": value} for name, value in fields.items()}
    for name, items in pushed.items():
        stage[name] = {"$concatArrays": [f"${name}", {"$literal": items}]}
    if change.lease_seconds is not None:
        stage["lease_until"] = _after_now(change.lease_seconds)
    if change.delay_seconds is not None:
        stage["next_eligible_at"] = _after_now(change.delay_seconds)
    return [{"$set": stage}]


def filter_of(change: Change[D]) -> Bson:
    """The condition of a change: same document, same revision, and its guard.

    A guard that the revision already implies is left out: what was unset in the copy is unset still.
    """
    condition: Bson = {"_id": change.before.id, "rev": change.before.rev}
    if change.guard is Guard.LEASE_EXPIRED:
        condition |= past("lease_until")
    elif change.guard is Guard.ELIGIBLE and getattr(change.before, "next_eligible_at", None) is not None:
        condition |= past("next_eligible_at")
    return condition


def past(field: str) -> Bson:
    """The time in ``field`` is set and lies before the database's now."""
    return {field: {"$ne": None}, "$expr": {"$lt": [{"$toLong": f"${field}"}, {"$toLong": "$$NOW"}]}}


def unset_or_past(field: str) -> Bson:
    """The time in ``field`` is not set, or lies before the database's now."""
    return {"$or": [{field: None}, past(field)]}


def within(field: str, seconds: float) -> Bson:
    """The time in ``field`` lies less than ``seconds`` before the database's now."""
    since = {"$subtract": [{"$toLong": "$$NOW"}, int(seconds * 1000)]}
    return {field: {"$ne": None}, "$expr": {"$gt": [{"$toLong": f"${field}"}, since]}}


def _after_now(seconds: float) -> Bson:
    return {"$dateAdd": {"startDate": "$$NOW", "unit": "millisecond", "amount": int(seconds * 1000)}}


def _plain(value: Any) -> Any:
    """Enums to strings and tuples to lists, so that what is compared is what is stored."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value.value if isinstance(value, Enum) else value
