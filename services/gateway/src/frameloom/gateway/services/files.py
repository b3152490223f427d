"""Stored files on their way out: through the gateway, or past it."""

from __future__ import annotations

from collections.abc import AsyncIterator

from frameloom.common.ports.objects import ObjectStore
from frameloom.gateway.settings import FileSettings


class FileStore:
    """Reads what the services have found, or tells where a client can fetch it by itself."""

    def __init__(self, objects: ObjectStore, settings: FileSettings) -> None:
        self._objects = objects
        self._settings = settings

    def read(self, key: str, offset: int, length: int) -> AsyncIterator[bytes]:
        """Streams a range of an object's bytes."""
        return self._objects.read(key, offset=offset, length=length)

    async def address(
        self, key: str, redirect: bool | None, *, disposition: str, content_type: str
    ) -> str | None:
        """Where the client may fetch an object for a short while; None: it is to be sent.

        Only to be asked for an object that was found for the very caller: whoever has the address has the
        bytes.

        Args:
            key: Of the object.
            redirect: What the client wants; None: as the server is set.
            disposition: What it is answered with, whatever the client asks the store for.
            content_type: Likewise.
        """
        if not (self._settings.redirect if redirect is None else redirect):
            return None
        return await self._objects.presigned_get(
            key,
            seconds=self._settings.redirect_seconds,
            disposition=disposition,
            content_type=content_type,
        )
