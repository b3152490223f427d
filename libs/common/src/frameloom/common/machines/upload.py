"""What may become of an upload that comes in parts.

One writer at a time: it takes the upload under a lease, every one of its changes names it as the holder, and
a change that comes too late is refused. A writer that takes over from one whose lease ran out leaves one part
number out, so that a part which the other may still be sending is never taken for its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from frameloom.common.documents.upload import Refusal, StoredPart, StoredPiece, Upload, UploadState
from frameloom.common.machines.transition import Change, Guard, Refused


def take(upload: Upload, holder: str, lease_seconds: float) -> Change[Upload]:
    """Somebody begins to write. With another holder, only when its lease has run out.

    Raises:
        Refused: The upload is over.
    """
    if upload.state.over:
        raise Refused("take", upload.state)
    fields: dict[str, Any] = {"holder": holder}
    guard = None
    if upload.holder is not None:
        guard = Guard.LEASE_EXPIRED
        fields["next_part"] = upload.next_part + 1
    return Change(upload, _next(upload, **fields), lease_seconds=lease_seconds, guard=guard)


def renew(upload: Upload, holder: str, lease_seconds: float) -> Change[Upload]:
    """The holder gives a sign of life."""
    _held(upload, holder, "renew")
    return Change(upload, _next(upload), lease_seconds=lease_seconds)


def advance(
    upload: Upload,
    holder: str,
    *,
    parts: Iterable[StoredPart],
    pieces: tuple[StoredPiece, ...],
    offset_bytes: int,
    lease_seconds: float,
) -> Change[Upload]:
    """More bytes are safe in the store. With the last of them the upload is received.

    Args:
        upload: As it is.
        holder: Who wrote them.
        parts: The new parts.
        pieces: What lies behind the last part now.
        offset_bytes: How much has come now.
        lease_seconds: Renews the lease by the way.
    """
    _held(upload, holder, "advance")
    if upload.state is not UploadState.OPEN or not upload.offset_bytes <= offset_bytes <= upload.length_bytes:
        raise Refused("advance", f"{upload.state}, offset {upload.offset_bytes} to {offset_bytes}")
    whole = (*upload.parts, *parts)
    after = _next(
        upload,
        parts=whole,
        next_part=max(upload.next_part, whole[-1].number + 1) if whole else upload.next_part,
        pieces=pieces,
        offset_bytes=offset_bytes,
        state=UploadState.RECEIVED if offset_bytes == upload.length_bytes else upload.state,
    )
    return Change(upload, after, lease_seconds=lease_seconds)


def receive(upload: Upload, holder: str, lease_seconds: float) -> Change[Upload]:
    """All bytes are there, as one object. Again changes nothing but the lease."""
    _held(upload, holder, "receive")
    fields = {
        "state": UploadState.RECEIVED,
        "offset_bytes": upload.length_bytes,
        "parts": (),
        "pieces": (),
        "store_id": None,
    }
    return Change(upload, _next(upload, **fields), lease_seconds=lease_seconds)


def examine(upload: Upload, holder: str, job_id: str, lease_seconds: float) -> Change[Upload]:
    """The examination begins, for the job of this id."""
    _held(upload, holder, "examine")
    _in(upload, UploadState.RECEIVED, "examine")
    return Change(upload, _next(upload, job_id=job_id), lease_seconds=lease_seconds)


def complete(upload: Upload, holder: str, job_id: str) -> Change[Upload]:
    """It has become this job."""
    _held(upload, holder, "complete")
    _in(upload, UploadState.RECEIVED, "complete")
    return Change(upload, _next(upload, state=UploadState.COMPLETED, job_id=job_id, **_FREE))


def refuse(upload: Upload, holder: str, refusal: Refusal) -> Change[Upload]:
    """It becomes no job."""
    _held(upload, holder, "refuse")
    after = _next(
        upload, state=UploadState.REFUSED, refusal=refusal, parts=(), pieces=(), store_id=None, **_FREE
    )
    return Change(upload, after)


def release(upload: Upload, holder: str) -> Change[Upload]:
    """The holder writes no more for now."""
    _held(upload, holder, "release")
    return Change(upload, _next(upload, **_FREE))


_FREE: dict[str, Any] = {"holder": None, "lease_until": None}


def _held(upload: Upload, holder: str, reason: str) -> None:
    if upload.holder != holder:
        raise Refused(reason, f"held by {upload.holder}")


def _in(upload: Upload, state: UploadState, reason: str) -> None:
    if upload.state is not state:
        raise Refused(reason, upload.state)


def _next(upload: Upload, **fields: Any) -> Upload:
    return upload.model_copy(update={"rev": upload.rev + 1, **fields})
