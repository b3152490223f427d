"""Uploads that come over several requests, or straight into the object store."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class _Headers(BaseModel):
    model_config = ConfigDict(extra="ignore")

    tus_resumable: str | None = Field(default=None, alias="Tus-Resumable", description="`1.0.0`")


class TusHeaders(_Headers):
    """What every request of the protocol brings."""


class CreationHeaders(_Headers):
    """Of a request that begins an upload."""

    upload_length: str | None = Field(
        default=None, alias="Upload-Length", description="Bytes of the whole file"
    )
    upload_metadata: str | None = Field(
        default=None,
        alias="Upload-Metadata",
        description="`filename`, `selected_pipelines` and `config`, each with its value in base64",
    )
    upload_checksum: str | None = Field(
        default=None, alias="Upload-Checksum", description="Algorithm and digest in base64, of the body"
    )
    upload_defer_length: str | None = Field(
        default=None, alias="Upload-Defer-Length", description="Not taken: tell the length at the beginning"
    )


class PatchHeaders(_Headers):
    """Of a request that goes on with an upload."""

    upload_offset: str | None = Field(
        default=None, alias="Upload-Offset", description="Where its bytes belong"
    )
    upload_checksum: str | None = Field(
        default=None, alias="Upload-Checksum", description="Algorithm and digest in base64, of the body"
    )


class OverrideHeaders(PatchHeaders):
    """Of a POST in the place of a PATCH or DELETE."""

    method: str | None = Field(
        default=None, alias="X-HTTP-Method-Override", description="`PATCH`, `DELETE` or `HEAD`"
    )


class UploadErrorShape(BaseModel):
    """Why an upload was refused."""

    code: str
    status: int
    message: str
    hint: str | None = None
    detail: dict[str, Any] | None = None


class UploadResponse(BaseModel):
    """An upload, as far as it is."""

    id: str
    status: str = Field(description="open, received (all is there and is being examined), completed, refused")
    method: str = Field(description="tus, put or multipart")
    filename: str | None
    size_bytes: int = Field(description="Of the whole file")
    offset_bytes: int = Field(description="What has come through the server; 0 for bytes that go past it")
    job_id: str | None = Field(description="Of the job that it has become")
    error: UploadErrorShape | None
    created_at: datetime
    expires_at: datetime


class DirectRequest(BaseModel):
    """A file that is to be written straight into the object store."""

    model_config = ConfigDict(extra="forbid")

    filename: str | None = Field(default=None, max_length=1024)
    size_bytes: int = Field(strict=True, ge=1, le=2**53, description="Of the whole file")
    selected_pipelines: list[str] | None = Field(
        default=None, max_length=100, description="Names; none: as in a form that names none"
    )
    config: dict[str, Any] | None = None
    sha256: str | None = Field(
        default=None, pattern=r"^[0-9a-f]{64}$", description="Of the whole file: it must be this one then"
    )


class PartAddress(BaseModel):
    """Where a part is to be written."""

    number: int
    url: str = Field(description="For a PUT with the bytes of this part")
    size_bytes: int


class DirectResponse(BaseModel):
    """Where a file is to be written."""

    upload_id: str
    method: str = Field(description="put: the whole file to `url`; multipart: its parts to theirs")
    url: str | None
    part_size_bytes: int | None
    parts: list[PartAddress]
    part_count: int = Field(description="More than are listed: ask for the addresses of the rest")
    headers: dict[str, str] = Field(description="To be sent with each PUT")
    expires_at: datetime = Field(description="The addresses work until then; ask for fresh ones after that")


class PartsRequest(BaseModel):
    """Of which parts the addresses are wanted."""

    model_config = ConfigDict(extra="forbid")

    numbers: list[int] = Field(default_factory=list, max_length=1000, description="None: the first thousand")


class NamedPart(BaseModel):
    """A part that was written."""

    model_config = ConfigDict(extra="ignore")

    number: int = Field(ge=1, le=10_000)
    etag: str = Field(min_length=1, max_length=200, description="As the store answered the PUT of the part")


class CompleteRequest(BaseModel):
    """All parts that were written; none for a file that was written as a whole."""

    model_config = ConfigDict(extra="forbid")

    parts: list[NamedPart] = Field(default_factory=list, max_length=10_000)
