"""A job's media, and everything of a job in one archive."""

from __future__ import annotations

from frameloom.gateway.http.files import FileDownload
from frameloom.gateway.http.ranges import attachment, inline
from frameloom.gateway.http.typed import FromPath, FromQuery
from frameloom.gateway.schemas.jobs import VideoQuery
from frameloom.gateway.services.artifacts import ArtifactService
from frameloom.gateway.services.caller import Caller
from frameloom.gateway.services.files import FileStore

_SHOWN = ("video/", "audio/", "application/ogg")


class FileHandlers:
    """Files of a job."""

    def __init__(self, artifacts: ArtifactService, store: FileStore) -> None:
        self._artifacts = artifacts
        self._store = store

    async def artifacts(self, caller: Caller, job_id: FromPath[str]) -> FileDownload:
        """Download a ZIP of the job's media and all its result files, in whatever state the job is.

        It is made while it is sent. Its length is known beforehand, and ranges are honoured.
        """
        archive = await self._artifacts.archive(caller, job_id)
        return FileDownload(
            # Without quotes, as VideoAnnotator writes it: an id needs none.
            disposition=f"attachment; filename=job_{job_id}_artifacts.zip",
            media_type="application/zip",
            size_bytes=archive.size_bytes,
            etag=archive.etag,
            read=archive.read,
            ranges=archive.ranges,
        )

    async def video(
        self, caller: Caller, job_id: FromPath[str], query: FromQuery[VideoQuery]
    ) -> FileDownload:
        """Play or download the job's media file as it was uploaded. Ranges and conditions are honoured.

        A `<video>` of a page, which can send no header, gives a token of `POST /api/v1/events/token` as
        `?token=`. A player asks again whenever it seeks: let the token live as long as the page is looked at.
        """
        media = await self._artifacts.media(caller, job_id)
        shown = media.content_type.startswith(_SHOWN)
        disposition = (inline if shown else attachment)(media.filename)
        return FileDownload(
            disposition=disposition,
            media_type=media.content_type,
            size_bytes=media.size_bytes,
            etag=media.sha256,
            read=lambda offset, length: self._store.read(media.key, offset, length),
            address=await self._store.address(
                media.key, query.redirect, disposition=disposition, content_type=media.content_type
            ),
        )
