"""The base of all documents."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Document(BaseModel):
    """A document as it stands in the database: frozen, and tolerant of fields a newer version wrote."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_enum_values=False)

    id: str
    rev: int = 0
    """Raised by one with every change: what compare-and-set compares."""


class Part(BaseModel):
    """A piece of a document."""

    model_config = ConfigDict(frozen=True, extra="ignore")
