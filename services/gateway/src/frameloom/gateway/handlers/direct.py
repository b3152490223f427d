"""Uploads straight into the object store."""

from __future__ import annotations

import json
import math

from frameloom.common.documents import StoredPart, UploadWay
from frameloom.gateway.handlers.jobs import shown
from frameloom.gateway.http.typed import FromBody, FromPath
from frameloom.gateway.schemas.jobs import JobResponse
from frameloom.gateway.schemas.uploads import (
    CompleteRequest,
    DirectRequest,
    DirectResponse,
    PartAddress,
    PartsRequest,
)
from frameloom.gateway.services.caller import Caller
from frameloom.gateway.services.direct import Addressed, DirectService
from frameloom.gateway.services.jobs import JobService
from frameloom.gateway.services.uploads import Announced


class DirectHandlers:
    """Uploads past the gateway."""

    def __init__(self, direct: DirectService, jobs: JobService) -> None:
        self._direct = direct
        self._jobs = jobs

    async def begin(self, caller: Caller, request: FromBody[DirectRequest]) -> DirectResponse:
        """Get addresses to write a file to, straight into the object store; complete it afterwards.

        Pipelines and configuration are judged now, before the file is sent.
        """
        fields = {}
        if request.selected_pipelines:
            fields["selected_pipelines"] = ",".join(request.selected_pipelines)
        if request.config is not None:
            fields["config"] = json.dumps(request.config)
        announced = Announced(
            length_bytes=request.size_bytes,
            filename=request.filename,
            fields=fields,
            sha256=request.sha256,
        )
        return _told(await self._direct.begin(caller, announced))

    async def parts(
        self, caller: Caller, upload_id: FromPath[str], request: FromBody[PartsRequest | None]
    ) -> DirectResponse:
        """Get the addresses of further parts, or fresh ones."""
        return _told(await self._direct.parts(caller, upload_id, request.numbers if request else ()))

    async def complete(
        self, caller: Caller, upload_id: FromPath[str], request: FromBody[CompleteRequest | None]
    ) -> JobResponse:
        """All is written: the file is examined and becomes a job. Asked again, it is the same job."""
        named = request.parts if request else []
        parts = [StoredPart(number=part.number, etag=part.etag) for part in named]
        job = await self._direct.complete(caller, upload_id, parts)
        return shown(await self._jobs.placed(job))


def _told(addressed: Addressed) -> DirectResponse:
    upload = addressed.upload
    parted = upload.way is UploadWay.MULTIPART
    return DirectResponse(
        upload_id=upload.id,
        method=upload.way.value,
        url=addressed.url,
        part_size_bytes=upload.part_bytes if parted else None,
        parts=[
            PartAddress(number=part.number, url=part.url, size_bytes=part.size_bytes)
            for part in addressed.parts
        ],
        part_count=math.ceil(upload.length_bytes / upload.part_bytes) if parted else 0,
        headers={},
        expires_at=addressed.until,
    )
