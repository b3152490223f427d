"""The object store over the minio SDK, which blocks: its calls run in a bounded pool of threads."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO, Self, TypeVar, cast

import structlog
import urllib3
from minio import Minio
from minio.commonconfig import REPLACE, ComposeSource, CopySource
from minio.deleteobjects import DeleteObject
from minio.error import MinioException, S3Error
from urllib3.exceptions import HTTPError

from frameloom.common.errors import ObjectChangedError, ObjectNotFoundError, StorageUnavailableError
from frameloom.common.ports.objects import ObjectInfo
from frameloom.common.settings import S3Settings

T = TypeVar("T")
_PART_BYTES = 8 * 1024 * 1024
_PARALLEL_PARTS = 2
_BLOCK_BYTES = 1024 * 1024
_COPY_BYTES = 1024**3
"""A larger copy is made in parts of this size: a store answers each within the time that a call may take."""
_ABSENT = {"NoSuchKey", "NoSuchObject"}
_CHANGED = "PreconditionFailed"
_OWNED = {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}
log = structlog.get_logger(__name__)


@contextmanager
def _translated(key: str) -> Iterator[None]:
    try:
        yield
    except S3Error as error:
        if error.code in _ABSENT:
            raise ObjectNotFoundError(key) from error
        if error.code == _CHANGED:
            raise ObjectChangedError(key) from error
        raise StorageUnavailableError(
            f"The object store refused {key}: {error.code}", hint="Check its log and the S3 credentials."
        ) from error
    except (HTTPError, MinioException, OSError) as error:
        raise StorageUnavailableError(
            f"The object store does not answer: {error}", hint="Try again in a moment."
        ) from error


class S3ObjectStore:
    """One bucket of an S3 server."""

    def __init__(
        self, client: Minio, bucket: str, pool: ThreadPoolExecutor, public: Minio | None = None
    ) -> None:
        self._client = client
        self._public = public or client
        self._bucket = bucket
        self._pool = pool

    @classmethod
    @asynccontextmanager
    async def connected(cls, settings: S3Settings) -> AsyncIterator[Self]:
        """A store that has answered; its bucket exists.

        Raises:
            StorageUnavailableError: No answer within ``connect_timeout_seconds``.
        """
        http = urllib3.PoolManager(
            maxsize=settings.threads * _PARALLEL_PARTS,
            timeout=urllib3.Timeout(connect=5, read=60),
            # S3 asks clients to repeat a request that was answered by 500 or 503.
            retries=urllib3.Retry(total=4, backoff_factor=0.2, status_forcelist=[500, 502, 503, 504]),
        )
        # With the region given, no client asks the server for it: signing is arithmetic alone.
        client, public = (
            Minio(
                endpoint=endpoint,
                access_key=settings.access_key,
                secret_key=settings.secret_key.get_secret_value(),
                region=settings.region,
                secure=secure,
                http_client=http,
            )
            for endpoint, secure in ((settings.endpoint, settings.secure), settings.public)
        )
        with ThreadPoolExecutor(settings.threads, thread_name_prefix="s3") as pool:
            store = cls(client, settings.bucket, pool, public)
            await store._ready(settings.connect_timeout_seconds)
            try:
                yield store
            finally:
                http.clear()

    async def put(self, key: str, body: bytes, content_type: str) -> None:
        """Stores a small object held in memory."""
        await self._call(
            key,
            lambda: self._client.put_object(
                self._bucket, key, io.BytesIO(body), len(body), content_type=content_type
            ),
        )

    async def put_file(self, key: str, path: Path, content_type: str) -> None:
        """Stores a file, in parts when it is large."""
        await self._call(
            key, lambda: self._client.fput_object(self._bucket, key, str(path), content_type=content_type)
        )

    async def put_stream(self, key: str, chunks: AsyncIterator[bytes], content_type: str) -> int:
        """Stores a stream of unknown length; at most a few parts of it are in memory.

        An exception of the stream ends the upload, leaves nothing behind, and passes through.
        """
        pulled = _Pulled(chunks, asyncio.get_running_loop())
        try:
            await self._call(
                key,
                lambda: self._client.put_object(
                    self._bucket,
                    key,
                    cast("BinaryIO", pulled),
                    length=-1,
                    part_size=_PART_BYTES,
                    num_parallel_uploads=_PARALLEL_PARTS,
                    content_type=content_type,
                ),
            )
        except Exception:
            if pulled.failure is not None:
                raise pulled.failure from None
            raise
        return pulled.size_bytes

    async def info(self, key: str) -> ObjectInfo:
        """Facts of an object."""
        found = await self._call(key, lambda: self._client.stat_object(self._bucket, key))
        return ObjectInfo(
            key=key,
            size_bytes=int(found.size or 0),
            etag=str(found.etag or ""),
            content_type=found.content_type,
            modified=found.last_modified,
        )

    async def read(
        self, key: str, *, offset: int = 0, length: int | None = None, etag: str | None = None
    ) -> AsyncIterator[bytes]:
        """Streams an object, or a range of it."""
        headers: dict[str, str | list[str] | tuple[str]] | None = (
            None if etag is None else {"If-Match": f'"{etag}"'}
        )
        response = await self._call(
            key,
            lambda: self._client.get_object(
                self._bucket, key, offset=offset, length=length or 0, request_headers=headers
            ),
        )
        try:
            while block := await self._call(key, lambda: response.read(_BLOCK_BYTES)):
                yield block
        finally:
            response.close()
            response.release_conn()

    async def fetch(self, key: str, path: Path) -> None:
        """Stores an object as a file: written beside it first, then renamed."""
        await self._call(key, lambda: self._client.fget_object(self._bucket, key, str(path)))

    async def copy(self, source: str, target: str, content_type: str, *, etag: str | None = None) -> None:
        """Copies an object inside the store; a large one part by part."""
        metadata: dict[str, str | list[str] | tuple[str]] = {"Content-Type": content_type}

        def copied() -> None:
            size = int(self._client.stat_object(self._bucket, source).size or 0)
            if size > _COPY_BYTES:
                parts = [
                    ComposeSource(
                        self._bucket,
                        source,
                        offset=start,
                        length=min(_COPY_BYTES, size - start),
                        match_etag=etag,
                    )
                    for start in range(0, size, _COPY_BYTES)
                ]
                self._client.compose_object(self._bucket, target, parts, metadata=metadata)
            else:
                whole = CopySource(self._bucket, source, match_etag=etag)
                self._client.copy_object(
                    self._bucket, target, whole, metadata=metadata, metadata_directive=REPLACE
                )

        await self._call(source, copied)

    async def presigned_get(
        self, key: str, *, seconds: int, disposition: str, content_type: str
    ) -> str | None:
        """An address for clients, at the public endpoint where one is set."""
        fixed: dict[str, str | list[str] | tuple[str]] = {
            "response-content-disposition": disposition,
            "response-content-type": content_type,
        }
        return self._public.presigned_get_object(
            self._bucket, key, expires=timedelta(seconds=seconds), response_headers=fixed
        )

    async def keys(self, prefix: str) -> list[str]:
        """The keys that begin with ``prefix``, in order."""

        def listed() -> list[str]:
            found = self._client.list_objects(self._bucket, prefix=prefix, recursive=True)
            return sorted(str(item.object_name) for item in found)

        return await self._call(prefix, listed)

    async def folders(self, prefix: str) -> list[str]:
        """What stands before the next slash after ``prefix``, in order."""

        def listed() -> list[str]:
            found = self._client.list_objects(self._bucket, prefix=prefix, recursive=False)
            return sorted(str(item.object_name) for item in found if item.is_dir)

        return await self._call(prefix, listed)

    async def delete(self, keys: Sequence[str]) -> None:
        """Removes objects; those that are not there count as removed."""
        if not keys:
            return

        def removed() -> list[Any]:
            return list(self._client.remove_objects(self._bucket, [DeleteObject(key) for key in keys]))

        errors = [e for e in await self._call(keys[0], removed) if e.code not in _ABSENT]
        if errors:
            raise StorageUnavailableError(f"Could not remove {errors[0].name}: {errors[0].code}")

    async def ping(self) -> None:
        """Asks the store for a sign of life.

        Raises:
            StorageUnavailableError: It gave none.
        """
        await self._call(self._bucket, lambda: self._client.bucket_exists(self._bucket))

    async def _call(self, key: str, call: Callable[[], T]) -> T:
        def translated() -> T:
            with _translated(key):
                return call()

        return await asyncio.get_running_loop().run_in_executor(self._pool, translated)

    async def _ready(self, timeout_seconds: float) -> None:
        """Waits for a server that is still starting, then makes sure of the bucket."""

        def made() -> None:
            if not self._client.bucket_exists(self._bucket):
                try:
                    self._client.make_bucket(self._bucket)
                except S3Error as error:
                    if error.code not in _OWNED:
                        raise

        deadline = asyncio.get_running_loop().time() + timeout_seconds
        while True:
            try:
                return await self._call(self._bucket, made)
            except StorageUnavailableError as error:
                if asyncio.get_running_loop().time() > deadline:
                    raise
                log.info("waiting for the object store", reason=str(error)[:120])
                await asyncio.sleep(0.1)


class _Pulled:
    """A blocking file whose bytes come from an asynchronous iterator, pulled as the reader asks for them."""

    def __init__(self, chunks: AsyncIterator[bytes], loop: asyncio.AbstractEventLoop) -> None:
        self._chunks = chunks
        self._loop = loop
        self._rest = b""
        self._ended = False
        self.size_bytes = 0
        self.failure: BaseException | None = None

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes; fewer only at the end. Called from a pool thread."""
        parts = [self._rest]
        have = len(self._rest)
        while have < size and not self._ended:
            block = asyncio.run_coroutine_threadsafe(self._block(), self._loop).result()
            parts.append(block)
            have += len(block)
        joined = b"".join(parts)
        self._rest = joined[size:]
        self.size_bytes += min(size, len(joined))
        return joined[:size]

    async def _block(self) -> bytes:
        """The next megabyte: crossing threads for each small chunk would cost more than the upload."""
        parts: list[bytes] = []
        have = 0
        try:
            while have < _BLOCK_BYTES:
                part = await anext(self._chunks, None)
                if part is None:
                    self._ended = True
                    break
                parts.append(part)
                have += len(part)
        except BaseException as error:
            self.failure = error
            raise
        return b"".join(parts)
