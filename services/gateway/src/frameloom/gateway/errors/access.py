"""Why a request is not let in. The first two have the words and codes of VideoAnnotator."""

from __future__ import annotations

from frameloom.common.errors import FrameloomError


class UnauthorizedError(FrameloomError):
    """There is no key, or not one that works."""

    code = "HTTP_ERROR"
    status = 401

    @classmethod
    def missing(cls) -> UnauthorizedError:
        """The request came without a key."""
        return cls(
            "API key required. Set AUTH_REQUIRED=false to disable authentication.",
            hint="Send it as `Authorization: Bearer va_…`.",
        )

    @classmethod
    def wrong(cls) -> UnauthorizedError:
        """The key is unknown, expired or revoked; which of these is nobody's business."""
        return cls("Invalid or expired token", hint="Ask whoever runs this server for a new key.")

    @classmethod
    def wrong_token(cls) -> UnauthorizedError:
        """What stands in the address is no short-lived token that works."""
        return cls(
            "Invalid or expired token",
            hint="A short-lived token from POST /api/v1/events/token belongs here. An API key goes into the "
            "header; in an address it works only where FRAMELOOM_GATEWAY_KEY_IN_QUERY is on.",
        )


class NotAuthenticatedError(FrameloomError):
    """There is no key, where VideoAnnotator answers so."""

    code = "HTTP_ERROR"
    status = 403

    def __init__(self) -> None:
        super().__init__("Not authenticated", hint="Send a key as `Authorization: Bearer va_…`.")


class ForbiddenError(FrameloomError):
    """The key does not allow this."""

    code = "FORBIDDEN"
    status = 403


class ScopeMissingError(ForbiddenError):
    """The key does not allow this: `error.detail.scope` is what it lacks."""

    def __init__(self, needed: str) -> None:
        super().__init__(
            "This key does not allow it",
            hint=f"It needs the scope {needed}; ask for a key that has it.",
            detail={"scope": needed},
        )
