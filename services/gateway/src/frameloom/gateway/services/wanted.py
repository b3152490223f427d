"""What a client asks of a live feed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from frameloom.gateway.services.frames import Format

_UUID_WITH_TIME = 7
_BITS_AFTER_TIME = 80


@dataclass(frozen=True, slots=True)
class Position:
    """The last event that a client has seen: ``<job_id>:<seq>``."""

    job_id: str
    seq: int

    @classmethod
    def parse(cls, text: str | None) -> Position | None:
        """The position in a ``Last-Event-ID``; None when there is none, or it is not one of ours."""
        job_id, colon, seq = (text or "").strip().rpartition(":")
        if not (colon and job_id and seq.isascii() and seq.isdigit() and len(seq) < 19):
            return None
        return cls(job_id, int(seq))

    @property
    def earliest(self) -> datetime | None:
        """When the job was made, by its id: no event of it is older. None if the id does not tell."""
        try:
            uuid = UUID(self.job_id)
        except ValueError:
            return None
        if uuid.version != _UUID_WITH_TIME:
            return None
        return datetime.fromtimestamp((uuid.int >> _BITS_AFTER_TIME) / 1000, UTC)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a client asked for.

    Attributes:
        job_id: Only this job; None: all of the tenant's.
        after: Where the client goes on.
        close_on_end: End the stream after the job's last event.
        form: In whose words.
    """

    job_id: str | None = None
    after: Position | None = None
    close_on_end: bool = False
    form: Format = Format.VIEWER
