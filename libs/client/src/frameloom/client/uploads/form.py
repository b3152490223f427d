"""An upload as one multipart form: what every server of this API takes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import httpx

from frameloom.client.answers import parse
from frameloom.client.models import Job
from frameloom.client.transport import API, Transport
from frameloom.client.uploads.media import Media

_TIMEOUT = httpx.Timeout(60.0, connect=5.0, read=300.0)
"""Writing may stall a minute; after the last byte the server may check the file for longer."""


@dataclass(frozen=True, slots=True)
class Submission:
    """What is asked for, beside the file.

    Attributes:
        pipelines: Names; none for the server's default.
        config: Settings by pipeline.
    """

    pipelines: tuple[str, ...] = ()
    config: dict[str, Any] = field(default_factory=dict)

    def fields(self) -> dict[str, str]:
        """As the fields of a form."""
        form: dict[str, str] = {}
        if self.pipelines:
            form["selected_pipelines"] = ",".join(self.pipelines)
        if self.config:
            form["config"] = json.dumps(self.config)
        return form


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
