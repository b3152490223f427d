"""What all answers have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

TERMINAL = frozenset({"completed", "failed", "cancelled"})
"""Statuses that nothing leaves, of jobs and of pipelines alike."""


class Answer(BaseModel):
    """Base: frozen, and fields that this version does not know are kept, so that nothing is lost.

    A status is any word, so that a newer server does not break an older client.
    """

    model_config = ConfigDict(frozen=True, extra="allow")
