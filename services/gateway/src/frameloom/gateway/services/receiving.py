"""Appending bytes to an upload in the object store: parts of one size, and a piece for what is left over.

A part is only in the store once it is whole, and then the document says so: what it says is always there.
What is left over at the end of a request lies as a piece beside the parts, and is put before the bytes of the
next request. At most a part and a chunk are in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import structlog

from frameloom.common import layout
from frameloom.common.clock import new_id
from frameloom.common.documents import StoredPart, StoredPiece, Upload
from frameloom.common.errors import FrameloomError, PartsLostError, TransientError
from frameloom.common.machines.upload import advance, receive
from frameloom.common.ports.parts import PartedStore
from frameloom.gateway.errors import UploadGoneError, UploadOverflowError
from frameloom.gateway.services.gate import MediaGate
from frameloom.gateway.services.holding import Hold

_MOST_PIECES = 16
"""With more of them they are joined, so that a client which sends a byte at a time makes no more work."""
_PIECE_TYPE = "application/octet-stream"
log = structlog.get_logger(__name__)


class Appending:
    """The bytes of one request on their way into the store.

    Args:
        hold: The upload.
        objects: The store.
        gate: Knows media by their first bytes.
        trusted: Every part counts as soon as it is stored. Otherwise none does before :meth:`finish`: the
            bytes have to be checked first.
    """

    def __init__(self, hold: Hold, objects: PartedStore, gate: MediaGate, *, trusted: bool) -> None:
        upload = hold.current
        self._hold = hold
        self._objects = objects
        self._gate = gate
        self._trusted = trusted
        self._offset = upload.offset_bytes
        self._pieces = upload.pieces
        self._number = upload.next_part
        self._new: list[StoredPart] = []
        self._buffer = bytearray()

    async def add(self, chunk: bytes) -> None:
        """Takes some bytes.

        Raises:
            FrameloomError: They are more than was declared, or of no media file, or can not be stored.
        """
        if self._offset + len(chunk) > self._upload.length_bytes:
            raise UploadOverflowError(self._upload.length_bytes)
        self._buffer += chunk
        self._offset += len(chunk)
        while self._pending() >= self._upload.part_bytes:
            await self._fill_up()
            await self._store_part(self._upload.part_bytes)
            if self._trusted:
                await self._commit(self._offset - len(self._buffer))
        await self._hold.alive()

    async def finish(self) -> Upload:
        """Makes everything that came safe; with the last byte the upload is received.

        Raises:
            FrameloomError: It can not be stored.
        """
        if self._offset == self._upload.length_bytes:
            await self._fill_up()
            if self._buffer:
                await self._store_part(len(self._buffer))
        elif self._buffer:
            await self._store_piece()
        if self._new or self._offset != self._upload.offset_bytes:
            await self._commit(self._offset)
        return self._upload

    @property
    def _upload(self) -> Upload:
        return self._hold.current

    def _pending(self) -> int:
        return len(self._buffer) + sum(piece.size_bytes for piece in self._pieces)

    async def _fill_up(self) -> None:
        """Fetches the pieces, which come before what is in memory."""
        if not self._pieces:
            return
        whole = bytearray()
        for piece in self._pieces:
            before = len(whole)
            async for block in self._objects.read(layout.piece(self._upload.id, piece.name)):
                whole += block
            if len(whole) - before != piece.size_bytes:
                raise UploadGoneError("A piece of the upload was lost", hint="Begin a new upload.")
        whole += self._buffer
        self._buffer, self._pieces = whole, ()

    async def _store_part(self, size: int) -> None:
        body = bytes(memoryview(self._buffer)[:size])
        if self._trusted and not self._upload.parts and not self._new:
            self._gate.recognise(body, self._upload.filename)
        key, store_id = layout.uploaded(self._upload.id), self._upload.store_id
        assert store_id is not None, "an upload with tus has parts while it is open"
        try:
            self._new.append(await self._objects.put_part(key, store_id, self._number, body))
        except PartsLostError as error:
            raise lost() from error
        self._number += 1
        del self._buffer[:size]

    async def _store_piece(self) -> None:
        if len(self._pieces) >= _MOST_PIECES:
            await self._fill_up()
        piece = StoredPiece(name=new_id(), size_bytes=len(self._buffer))
        key = layout.piece(self._upload.id, piece.name)
        await self._objects.put(key, bytes(self._buffer), _PIECE_TYPE)
        self._pieces = (*self._pieces, piece)
        self._buffer.clear()

    async def _commit(self, offset_bytes: int) -> None:
        before = self._upload.pieces
        parts = tuple(self._new)
        await self._hold.change(
            lambda upload, holder, lease_seconds: advance(
                upload,
                holder,
                parts=parts,
                pieces=self._pieces,
                offset_bytes=offset_bytes,
                lease_seconds=lease_seconds,
            )
        )
        self._new.clear()
        unused = [layout.piece(self._upload.id, one.name) for one in before if one not in self._pieces]
        await discard(self._objects, unused)


async def join(hold: Hold, objects: PartedStore, parts: Sequence[StoredPart] = ()) -> None:
    """Makes one object of the parts. Again, after it was broken off, it finds that done.

    Args:
        hold: The upload.
        objects: Where its parts are.
        parts: As the client names them, if it has stored them itself.

    Raises:
        UploadGoneError: The parts are gone.
        PartsMismatchError: They are not those of the store, or not all.
    """
    upload = hold.current
    if upload.store_id is not None:
        key = layout.uploaded(upload.id)
        try:
            await objects.join_parts(key, upload.store_id, parts or upload.parts, upload.length_bytes)
        except PartsLostError as error:
            if not await there(objects, upload):
                raise lost() from error
    await hold.change(partial(receive))


async def there(objects: PartedStore, upload: Upload) -> bool:
    """Whether the upload lies in the store as one object, of the length that was declared."""
    try:
        info = await objects.info(layout.uploaded(upload.id))
    except TransientError:
        raise
    except FrameloomError:
        return False
    return info.size_bytes == upload.length_bytes


async def discard(objects: PartedStore, keys: list[str]) -> None:
    """Removes what nobody needs any more, now or with the sweep."""
    try:
        await objects.delete(keys)
    except TransientError as error:
        log.warning("left behind", keys=keys, reason=str(error))


def lost() -> UploadGoneError:
    """The store has given the upload up."""
    return UploadGoneError(
        "The object store no longer has what was sent", hint="Begin a new upload, and finish it sooner."
    )
