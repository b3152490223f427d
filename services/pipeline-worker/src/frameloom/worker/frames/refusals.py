"""How a decoder says that a file is not for it: before it is opened, or on the way."""

from __future__ import annotations

from dataclasses import dataclass

from frameloom.common.documents.task import FailureCategory
from frameloom.worker.errors import TaskError


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a decoder does not take a file.

    Attributes:
        reason: For the provenance of a result.
        of_file: It is about this very file. Else it is about the machine, and not worth telling each time.
    """

    reason: str
    of_file: bool


class DecoderGaveUpError(TaskError):
    """A decoder can not go on with a file; another one may.

    Attributes:
        reason: For the provenance of a result.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(FailureCategory.DECODE_ERROR, f"The video can not be decoded this way: {reason}.")
        self.reason = reason
        self.args = (reason,)
