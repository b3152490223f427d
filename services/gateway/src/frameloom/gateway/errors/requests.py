"""What is wrong with a request itself."""

from __future__ import annotations

from typing import Any

from frameloom.common.errors import FrameloomError, TransientError


class InvalidRequestError(FrameloomError):
    """The request makes no sense as it is; its hint, which is never left out, tells what would."""

    code = "INVALID_REQUEST"
    status = 400

    def __init__(self, message: str, *, hint: str, detail: dict[str, Any] | None = None) -> None:
        super().__init__(message, hint=hint, detail=detail)


class InvalidConfigError(FrameloomError):
    """The configuration does not fit the pipelines; ``detail`` names each problem."""

    code = "INVALID_CONFIG"
    status = 400


class RequestInvalidError(FrameloomError):
    """Parameters that do not fit: answered in FastAPI's plain form, without the envelope.

    Attributes:
        problems: Items ``{type, loc, msg, input, ctx?}``.
    """

    code = "VALIDATION_ERROR"
    status = 422

    def __init__(self, problems: list[dict[str, Any]]) -> None:
        super().__init__("The request does not fit its description")
        self.problems = problems

    @classmethod
    def missing(cls, *loc: str) -> RequestInvalidError:
        """A required part is not there."""
        return cls([{"type": "missing", "loc": list(loc), "msg": "Field required", "input": None}])


class PreconditionFailedError(FrameloomError):
    """The file is no longer the version that the request insists on."""

    code = "PRECONDITION_FAILED"
    status = 412


class RangeNotSatisfiableError(FrameloomError):
    """The range begins behind the end of the file."""

    code = "RANGE_NOT_SATISFIABLE"
    status = 416

    def __init__(self, size_bytes: int) -> None:
        super().__init__(
            f"The file has only {size_bytes} bytes",
            hint="Ask for a range inside the file.",
            detail={"size_bytes": size_bytes},
        )
        self.size_bytes = size_bytes


class BusyError(TransientError):
    """This gateway has as many uploads or streams as it carries."""

    code = "BUSY"
