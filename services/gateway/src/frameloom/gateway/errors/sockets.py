"""Why a WebSocket is not opened, or a message over it not understood."""

from __future__ import annotations

from typing import Any

from frameloom.common.errors import FrameloomError
from frameloom.common.text import cut


class UpgradeRequiredError(FrameloomError):
    """The address speaks WebSocket only."""

    code = "UPGRADE_REQUIRED"
    status = 426

    def __init__(self) -> None:
        super().__init__(
            "This address speaks WebSocket",
            hint="Open it with a WebSocket client, or use GET /api/v1/events/stream.",
        )


class OriginRefusedError(FrameloomError):
    """A page of this origin may not open a WebSocket here."""

    code = "ORIGIN_REFUSED"
    status = 403

    def __init__(self, origin: str) -> None:
        super().__init__(
            f"Pages of {cut(origin, 200)} may not open a WebSocket here",
            hint="The operator can allow them with FRAMELOOM_GATEWAY_CORS_ORIGINS.",
        )


class MessageInvalidError(FrameloomError):
    """A message that a client sent makes no sense."""

    code = "INVALID_MESSAGE"
    status = 400

    def __init__(self, why: str, problems: list[dict[str, Any]] | None = None) -> None:
        super().__init__(
            f"The message is not understood: {why}",
            hint='Send JSON text such as {"type": "subscribe", "job_id": "…"}, "unsubscribe" or "ping".',
            detail={"problems": problems} if problems else None,
        )


class SubscriptionError(FrameloomError):
    """A subscription that is there already, is not there, or is one too many."""

    code = "SUBSCRIPTION"
    status = 409

    @classmethod
    def twice(cls, job_id: str | None) -> SubscriptionError:
        """It is there already."""
        return cls(f"Subscribed to {_named(job_id)} already", hint="Unsubscribe first.")

    @classmethod
    def none(cls, job_id: str | None) -> SubscriptionError:
        """There is none."""
        return cls(f"Not subscribed to {_named(job_id)}")

    @classmethod
    def many(cls, most: int) -> SubscriptionError:
        """There are too many."""
        return cls(
            f"This connection has {most} subscriptions, which is the most",
            hint="Subscribe to all jobs, or open another connection.",
        )


def _named(job_id: str | None) -> str:
    return "all jobs" if job_id is None else f"job {cut(job_id)}"
