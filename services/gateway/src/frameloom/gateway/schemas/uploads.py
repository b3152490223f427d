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
