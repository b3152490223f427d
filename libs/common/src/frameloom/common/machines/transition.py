"""What a machine answers: a change to write by compare-and-set, or a refusal that writes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from frameloom.common.documents.base import Document

D = TypeVar("D", bound=Document)


class Guard(StrEnum):
    """A condition that only the database can decide, because it reads the database's clock."""

    LEASE_EXPIRED = "lease_expired"
    ELIGIBLE = "eligible"


@dataclass(frozen=True, slots=True)
class Change(Generic[D]):
    """A change from ``before`` to ``after``, valid only while the document still has ``before.rev``.

    Attributes:
        before: The document that the decision was made on.
        after: The document wanted, with ``rev`` raised by one.
        lease_seconds: Sets ``lease_until`` to this long after the database's now.
        delay_seconds: Sets ``next_eligible_at`` to this long after the database's now.
        guard: A condition on the database's clock that must hold too.
    """

    before: D
    after: D
    lease_seconds: float | None = None
    delay_seconds: float | None = None
    guard: Guard | None = None


class Refused(Exception):  # noqa: N818 - an answer, not an error: nothing is wrong when a stale claim is refused
    """The machine does not allow this from here. Nothing is written, nothing is emitted."""

    def __init__(self, reason: str, state: str) -> None:
        super().__init__(f"{reason} is not allowed in state {state}")
        self.reason = reason
        self.state = state
