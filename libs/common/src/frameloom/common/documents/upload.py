"""An upload that comes in parts: over several requests, or straight into the object store."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import Field

from frameloom.common.documents.base import Document, Part


class UploadWay(StrEnum):
    """How its bytes come."""

    TUS = "tus"
    """Through a gateway, in requests of the tus protocol."""
    PUT = "put"
    """Straight into the object store, as one object."""
    MULTIPART = "multipart"
    """Straight into the object store, in parts."""


class UploadState(StrEnum):
    """How far it is."""

    OPEN = "open"
    """Bytes may come."""
    RECEIVED = "received"
    """All bytes are there; they are examined, or will be."""
    COMPLETED = "completed"
    """It has become a job."""
    REFUSED = "refused"
    """It became none, and its bytes are gone; ``refusal`` tells why."""

    @property
    def over(self) -> bool:
        """Whether nothing happens to it any more."""
        return self in {UploadState.COMPLETED, UploadState.REFUSED}


class StoredPart(Part):
    """A part in the object store. Numbers rise, and may have gaps."""

    number: int
    etag: str


class StoredPiece(Part):
    """Some bytes behind the last part, an object of its own; its name is its writer's."""

    name: str
    size_bytes: int


class Refusal(Part):
    """The error that an upload was refused with."""

    code: str
    status: int
    message: str
    hint: str | None = None
    detail: dict[str, Any] | None = None


class Upload(Document):
    """One upload.

    Attributes:
        tenant: Whose it is.
        key_id: The key that it was begun with, and ``line``: as of a caller.
        account: What it counts under in that key's quota.
        filename: As the client gave it.
        length_bytes: Of the whole, as declared.
        fields: What the job was asked for: ``selected_pipelines`` and ``config``.
        metadata: The ``Upload-Metadata`` of a tus client, as it came.
        sha256: Of the whole, if the client told it.
        store_id: The object store's id of the multipart upload; None: there is none.
        part_bytes: Size of its parts, but for the last.
        offset_bytes: How much has come: in parts, and in pieces.
        parts: What lies in the store as parts.
        next_part: Number of the next one.
        pieces: What lies behind the last part: less than a part together.
        holder: Who writes to it now; ``lease_until``: how long without a sign of life.
        job_id: Of the job that it becomes; set before the examination begins.
        expires_at: It is removed then, whatever has become of it.
    """

    tenant: str
    key_id: str | None = None
    line: str | None = None
    account: str | None = None
    way: UploadWay
    filename: str | None = None
    length_bytes: int
    fields: dict[str, str] = Field(default_factory=dict)
    metadata: str | None = None
    sha256: str | None = None
    store_id: str | None = None
    part_bytes: int = 0
    state: UploadState = UploadState.OPEN
    offset_bytes: int = 0
    parts: tuple[StoredPart, ...] = ()
    next_part: int = 1
    pieces: tuple[StoredPiece, ...] = ()
    holder: str | None = None
    lease_until: datetime | None = None
    job_id: str | None = None
    refusal: Refusal | None = None
    created_at: datetime
    expires_at: datetime

    @property
    def parts_end(self) -> int:
        """Where the parts end and the pieces begin."""
        return self.offset_bytes - sum(piece.size_bytes for piece in self.pieces)
