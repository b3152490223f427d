"""An upload as one multipart form: what every server of this API takes."""

from __future__ import annotations

import httpx

from frameloom.client.answers import parse
from frameloom.client.models import Job
from frameloom.client.transport import API, Transport
from frameloom.client.uploads.media import Media
from frameloom.client.uploads.order import Submission

_TIMEOUT = httpx.Timeout(60.0, connect=5.0, read=300.0)
"""Writing may stall a minute; after the last byte the server may check the file for longer."""


async def send_form(transport: Transport, media: Media, order: Submission) -> Job:
    """Sends the file with the order in one request.

    The fields go before the file, so that a server can refuse them without reading it.
    """
    response = await transport.send(
        "POST",
        f"{API}/jobs/",
        once=True,
        repeatable=media.repeatable,
        data=order.fields(),
        files={"video": (media.filename, media, "application/octet-stream")},
        timeout=_TIMEOUT,
    )
    return parse(Job, response)
