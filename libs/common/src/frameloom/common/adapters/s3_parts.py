"""Objects in parts, and addresses for clients to write to, on S3.

The SDK does multipart uploads only as a whole, within one call. Its single steps are private methods; they
are used here and nowhere else, and the contract tests hold them to what is promised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TypeVar

from minio.datatypes import Part
from minio.error import S3Error

from frameloom.common.adapters.s3 import S3ObjectStore
from frameloom.common.documents.upload import StoredPart
from frameloom.common.errors import PartsLostError, PartsMismatchError
from frameloom.common.ports.parts import LEAST_PART_BYTES

T = TypeVar("T")
_AT_ONCE = 1000
_LOST = {"NoSuchUpload"}
_MISMATCH = {"InvalidPart", "InvalidPartOrder", "EntityTooSmall", "MalformedXML"}


@contextmanager
def _explained(key: str) -> Iterator[None]:
    try:
        yield
    except S3Error as error:
        if error.code in _LOST:
            raise PartsLostError(f"The parts of {key} are gone") from error
        if error.code in _MISMATCH:
            raise PartsMismatchError(f"The parts of {key} do not fit: {error.code}") from error
        raise


class S3PartedStore(S3ObjectStore):
    """One bucket of an S3 server, whose objects can come in parts and straight from clients."""

    async def begin_parts(self, key: str, content_type: str) -> str:
        """Begins an object that comes in parts."""
        return await self._call(
            key,
            lambda: self._client._create_multipart_upload(self._bucket, key, {"Content-Type": content_type}),
        )

    async def put_part(self, key: str, store_id: str, number: int, body: bytes) -> StoredPart:
        """Stores a part."""
        etag = await self._step(
            key, lambda: self._client._upload_part(self._bucket, key, body, None, store_id, number)
        )
        return StoredPart(number=number, etag=etag)

    async def join_parts(self, key: str, store_id: str, parts: Sequence[StoredPart], size_bytes: int) -> None:
        """Makes the object of these parts.

        They are compared with what the store has beforehand: not every store does that when it joins them.
        """
        named = [Part(part.number, part.etag.strip('"')) for part in parts]

        def joined() -> None:
            _compare(key, named, self._stored(key, store_id), size_bytes)
            self._client._complete_multipart_upload(self._bucket, key, store_id, named)

        await self._step(key, joined)

    async def drop_parts(self, key: str, store_id: str) -> None:
        """Gives an object in parts up."""
        try:
            await self._step(key, lambda: self._client._abort_multipart_upload(self._bucket, key, store_id))
        except PartsLostError:
            return

    async def unjoined(self, before: datetime) -> list[tuple[str, str]]:
        """Objects in parts that were begun before a time, some of them."""

        def listed() -> list[tuple[str, str]]:
            found = self._client._list_multipart_uploads(self._bucket, max_uploads=_AT_ONCE).uploads
            return [
                (one.object_name, one.upload_id)
                for one in found
                if one.upload_id and one.initiated_time is not None and one.initiated_time < before
            ]

        return await self._call(self._bucket, listed)

    async def presigned_put(self, key: str, *, seconds: int) -> str | None:
        """An address under which anybody can store an object for a while."""
        return self._address("PUT", key, seconds, {})

    async def presigned_part(self, key: str, store_id: str, number: int, *, seconds: int) -> str | None:
        """The same for a part."""
        return self._address("PUT", key, seconds, {"partNumber": str(number), "uploadId": store_id})

    def _address(self, method: str, key: str, seconds: int, query: dict[str, str]) -> str:
        wanted: dict[str, str | list[str] | tuple[str]] = {**query}
        return self._public.get_presigned_url(
            method, self._bucket, key, expires=timedelta(seconds=seconds), extra_query_params=wanted
        )

    def _stored(self, key: str, store_id: str) -> dict[tuple[int, str], int]:
        """Sizes by number and ETag: a store may keep a part that was sent again, beside the new one."""
        found: dict[tuple[int, str], int] = {}
        marker: str | None = None
        while True:
            page = self._client._list_parts(self._bucket, key, store_id, part_number_marker=marker)
            found |= {(one.part_number, one.etag.strip('"')): one.size or 0 for one in page.parts}
            if not page.is_truncated or not page.parts:
                return found
            marker = str(page.parts[-1].part_number)

    async def _step(self, key: str, step: Callable[[], T]) -> T:
        def explained() -> T:
            with _explained(key):
                return step()

        return await self._call(key, explained)


def _compare(key: str, named: Sequence[Part], stored: Mapping[tuple[int, str], int], size_bytes: int) -> None:
    numbers = [part.part_number for part in named]
    if not named or numbers != sorted(set(numbers)):
        raise PartsMismatchError(f"The parts of {key} are not in the order of their numbers")
    sizes = []
    for part in named:
        size = stored.get((part.part_number, part.etag))
        if size is None:
            raise PartsMismatchError(f"Part {part.part_number} of {key} is not there, or is another one")
        if part is not named[-1] and size < LEAST_PART_BYTES:
            raise PartsMismatchError(f"Part {part.part_number} of {key} is below {LEAST_PART_BYTES} bytes")
        sizes.append(size)
    if sum(sizes) != size_bytes:
        raise PartsMismatchError(f"The parts of {key} have {sum(sizes)} bytes, not {size_bytes}")
