"""What is wrong with the choice of pipelines."""

from __future__ import annotations

from collections.abc import Sequence

from frameloom.common.errors import FrameloomError, NotFoundError
from frameloom.common.text import cut

_MOST_NAMES = 20


class UnknownPipelineError(FrameloomError):
    """A submission names pipelines that are not known."""

    code = "PIPELINE_NOT_FOUND"
    status = 400

    def __init__(self, unknown: Sequence[str], known: Sequence[str]) -> None:
        what = "Unknown pipeline" if len(unknown) == 1 else "Unknown pipelines"
        told = [cut(name) for name in unknown[:_MOST_NAMES]]
        super().__init__(
            f"{what}: {', '.join(told)}",
            hint=f"Choose among: {', '.join(known)}" if known else "No worker has offered a pipeline yet.",
            detail={"unknown": told, "known": list(known)},
        )


class PipelineUnavailableError(FrameloomError):
    """The pipeline is known, but no worker can run it as things are."""

    code = "PIPELINE_UNAVAILABLE"
    status = 400

    def __init__(self, reasons: dict[str, str]) -> None:
        told = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
        super().__init__(
            f"Not available: {told}",
            hint="GET /api/v1/pipelines/ tells what can run.",
            detail={"reasons": reasons},
        )


class PipelineNotFoundError(NotFoundError):
    """There is no pipeline of this name, nor one with this alias."""

    code = "PIPELINE_NOT_FOUND"

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(
            f"Pipeline '{cut(name)}' not found",
            hint="GET /api/v1/pipelines/ lists them.",
            detail={"pipeline_name": cut(name), "known": list(known)},
        )
