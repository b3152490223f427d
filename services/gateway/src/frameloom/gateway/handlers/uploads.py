"""The tus protocol 1.0.0, and what any upload in parts has in common."""

from __future__ import annotations

from typing import Annotated

from frameloom.common.documents import JobDocument, Upload, UploadState
from frameloom.gateway.errors import InvalidRequestError, RefusedUploadError, UploadGoneError
from frameloom.gateway.http import tus
from frameloom.gateway.http.bodies import BodyStream
from frameloom.gateway.http.pacing import Pace
from frameloom.gateway.http.typed import Answer, FromHeaders, FromPath, StreamOf
from frameloom.gateway.schemas.uploads import (
    CreationHeaders,
    OverrideHeaders,
    PatchHeaders,
    TusHeaders,
    UploadErrorShape,
    UploadResponse,
)
from frameloom.gateway.services.caller import Caller
from frameloom.gateway.services.uploads import Announced, Progress, UploadService

Bytes = Annotated[BodyStream, StreamOf(tus.OFFSET_TYPE)]
_FIELDS = ("selected_pipelines", "config")


class UploadHandlers:
    """The unfinished uploads of the caller's tenant."""

    def __init__(self, uploads: UploadService, pace: Pace) -> None:
        self._uploads = uploads
        self._pace = pace

    async def options(self) -> Answer[None]:
        """What this server speaks: tus 1.0.0, with these extensions."""
        return Answer(None, 204, tus.facts(self._uploads.max_bytes))

    async def options_of_one(self, upload_id: FromPath[str]) -> Answer[None]:  # noqa: ARG002
        """The same for any upload."""
        return await self.options()

    async def create(
        self, caller: Caller, headers: FromHeaders[CreationHeaders], body: Bytes
    ) -> Answer[None]:
        """Begin an upload. `Location` is its address, to which its bytes go with PATCH.

        Pipelines and configuration are judged now, before the file is sent. The first bytes, or the whole
        file, may come with this request, as the body of a PATCH would.
        """
        tus.require_version(headers.tus_resumable)
        if headers.upload_defer_length is not None:
            raise InvalidRequestError(
                "Upload-Defer-Length is not taken", hint="Tell the length of the file with Upload-Length."
            )
        named = tus.metadata(headers.upload_metadata)
        announced = Announced(
            length_bytes=tus.number("Upload-Length", headers.upload_length),
            filename=named.get("filename") or named.get("name"),
            fields={name: named[name] for name in _FIELDS if name in named},
            metadata=headers.upload_metadata,
        )
        brings = body.media_type is not None and body.present
        checksum = tus.checksum(headers.upload_checksum) if brings else None
        if brings:
            tus.require_offset_type(body)
        upload = await self._uploads.begin(caller, announced)
        location = {"Location": f"{tus.UPLOADS}/{upload.id}"}
        if not brings:
            return Answer(None, 201, _told(upload) | location)
        progress = await self._uploads.append(
            caller,
            upload.id,
            0,
            body.chunks(self._pace),
            declared_bytes=body.length_bytes,
            checksum=checksum,
        )
        return Answer(None, 201, _of(progress) | location)

    async def head(
        self, caller: Caller, upload_id: FromPath[str], headers: FromHeaders[TusHeaders]
    ) -> Answer[None]:
        """Where to go on: `Upload-Offset`. Of an upload that is a job, `X-Job-Id` too."""
        tus.require_version(headers.tus_resumable, always=False)
        try:
            upload = await self._uploads.living(caller, upload_id)
        except RefusedUploadError as refused:
            raise UploadGoneError(refused.message, hint=refused.hint) from refused
        shown = _told(upload) | {"Upload-Length": str(upload.length_bytes), "Cache-Control": "no-store"}
        if upload.metadata is not None:
            shown["Upload-Metadata"] = upload.metadata
        return Answer(None, 200, shown)

    async def patch(
        self, caller: Caller, upload_id: FromPath[str], headers: FromHeaders[PatchHeaders], body: Bytes
    ) -> Answer[None]:
        """Go on with an upload, from its offset. What has come counts, also when the request breaks off.

        With the last byte the file is examined and becomes a job: `X-Job-Id` is its id, `Location` its place.
        """
        tus.require_version(headers.tus_resumable)
        tus.require_offset_type(body)
        progress = await self._uploads.append(
            caller,
            upload_id,
            tus.number("Upload-Offset", headers.upload_offset),
            body.chunks(self._pace),
            declared_bytes=body.length_bytes,
            checksum=tus.checksum(headers.upload_checksum),
        )
        return Answer(None, 204, _of(progress))

    async def override(
        self, caller: Caller, upload_id: FromPath[str], headers: FromHeaders[OverrideHeaders], body: Bytes
    ) -> Answer[None]:
        """A PATCH, DELETE or HEAD of a client that can only POST: `X-HTTP-Method-Override` names it."""
        tus.require_version(headers.tus_resumable)
        method = (headers.method or "").upper()
        if method == "PATCH":
            return await self.patch(caller, upload_id, headers, body)
        if method == "DELETE":
            await self._uploads.end(caller, upload_id)
            return Answer(None, 204)
        if method == "HEAD":
            return await self.head(caller, upload_id, TusHeaders.model_validate({}))
        raise InvalidRequestError(
            "A POST to an upload names another method",
            hint="Send PATCH, or POST with X-HTTP-Method-Override: PATCH.",
        )

    async def get(self, caller: Caller, upload_id: FromPath[str]) -> UploadResponse:
        """How far an upload is, and what has become of it."""
        return shown(await self._uploads.get(caller, upload_id))

    async def end(self, caller: Caller, upload_id: FromPath[str], headers: FromHeaders[TusHeaders]) -> None:
        """Give an upload up; its bytes are removed. The job of a completed one stays."""
        tus.require_version(headers.tus_resumable, always=False)
        await self._uploads.end(caller, upload_id)


def shown(upload: Upload) -> UploadResponse:
    """An upload as the API shows it."""
    refusal = upload.refusal
    return UploadResponse(
        id=upload.id,
        status=upload.state.value,
        method=upload.way.value,
        filename=upload.filename,
        size_bytes=upload.length_bytes,
        offset_bytes=upload.offset_bytes,
        job_id=upload.job_id if upload.state is UploadState.COMPLETED else None,
        error=None if refusal is None else UploadErrorShape.model_validate(refusal.model_dump()),
        created_at=upload.created_at,
        expires_at=upload.expires_at,
    )


def _told(upload: Upload) -> dict[str, str]:
    headers = {"Upload-Offset": str(upload.offset_bytes), "Upload-Expires": tus.http_date(upload.expires_at)}
    if upload.state is UploadState.COMPLETED and upload.job_id is not None:
        headers |= {tus.JOB_ID: upload.job_id}
    return headers


def _of(progress: Progress) -> dict[str, str]:
    headers = _told(progress.upload)
    return headers if progress.job is None else headers | job_headers(progress.job)


def job_headers(job: JobDocument) -> dict[str, str]:
    """Where a new job is."""
    return {tus.JOB_ID: job.id, "Location": f"/api/v1/jobs/{job.id}"}
