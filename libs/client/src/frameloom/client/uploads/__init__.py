"""Ways of bringing a file to the server, and the choice among them.

A way is a coroutine function that takes the connection, the media and the order, and gives the job. A new one
is a module here, an entry in :data:`WAYS`, and a rule in :func:`send_best` that says when it is the best.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from frameloom.client.errors import RefusedError, UsageError
from frameloom.client.models import Job
from frameloom.client.transport import Transport
from frameloom.client.uploads.form import send_form
from frameloom.client.uploads.media import Media, Source, opened
from frameloom.client.uploads.order import Submission
from frameloom.client.uploads.tus import fits_headers, send_tus

__all__ = ["LARGE_BYTES", "WAYS", "Media", "Source", "Submission", "Way", "opened", "way"]

LARGE_BYTES = 64 << 20
"""From this size on a break costs more than the further requests of a resumable upload."""
_NO_SUCH_ROUTE = ("NOT_FOUND", "REFUSED")


class Way(Protocol):
    """Sends the media and the order, and gives the job."""

    async def __call__(self, transport: Transport, media: Media, order: Submission) -> Job:
        """See the class."""


async def send_best(transport: Transport, media: Media, order: Submission) -> Job:
    """A resumable upload for a large file, where the server has that; else a form."""
    if media.size is not None and media.size >= LARGE_BYTES and fits_headers(media, order):
        try:
            return await send_tus(transport, media, order)
        except RefusedError as error:
            # A route that is not there has no code of its own; nothing of the file was sent.
            if error.status not in {404, 405} or error.code not in _NO_SUCH_ROUTE:
                raise
    return await send_form(transport, media, order)


WAYS: Mapping[str, Way] = {"auto": send_best, "form": send_form, "tus": send_tus}
"""By the name that a caller may ask for."""


def way(name: str) -> Way:
    """The way of this name.

    Raises:
        UsageError: There is no such way.
    """
    if name not in WAYS:
        raise UsageError(
            f"There is no way {name!r} of uploading", hint=f"Choose among: {', '.join(sorted(WAYS))}"
        )
    return WAYS[name]
