"""Ways of bringing a file to the server, and the choice among them.

A way is a coroutine function that takes the connection, the media and the order, and gives the job. A new one
is a module here, an entry in :data:`WAYS`, and a rule in :func:`way` that says when it is the best.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from frameloom.client.errors import UsageError
from frameloom.client.models import Job
from frameloom.client.transport import Transport
from frameloom.client.uploads.form import Submission, send_form
from frameloom.client.uploads.media import Media, Source, opened

__all__ = ["WAYS", "Media", "Source", "Submission", "Way", "opened", "way"]


class Way(Protocol):
    """Sends the media and the order, and gives the job."""

    async def __call__(self, transport: Transport, media: Media, order: Submission) -> Job:
        """See the class."""


WAYS: Mapping[str, Way] = {"form": send_form}
"""By the name that a caller may ask for."""


def way(name: str, media: Media) -> Way:
    """The way of this name; for ``auto`` the best one for this file.

    Raises:
        UsageError: There is no such way.
    """
    del media  # one way is best for every file as long as there is one
    if name == "auto":
        return WAYS["form"]
    if name not in WAYS:
        raise UsageError(
            f"There is no way {name!r} of uploading", hint=f"Choose among: auto, {', '.join(sorted(WAYS))}"
        )
    return WAYS[name]
