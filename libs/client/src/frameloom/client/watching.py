"""Watches a job to its end."""

from __future__ import annotations

import time
from contextlib import aclosing

from frameloom.client.api import AsyncClient
from frameloom.client.events import FollowPolicy, follow, patiently
from frameloom.client.models import Job, JobResults
from frameloom.client.render.display import Display
from frameloom.client.tracking import JobView, fold, settle


async def watch_to_end(
    client: AsyncClient, job: Job, label: str, display: Display, *, policy: FollowPolicy | None = None
) -> JobResults:
    """The results of a job, once it has ended; on the way the display is told all that happens.

    Raises:
        ClientError: The server was silent for too long, or there is no such job.
    """
    rules = policy or FollowPolicy()
    view = JobView.of(job.id, job.selected_pipelines or (), status=job.status)
    display.opened(label, view)
    async with aclosing(follow(client, job.id, policy=rules)) as feed:
        async for item in feed:
            view = fold(view, item, time.monotonic())
            display.changed(label, item, view)
    results = await patiently(lambda: client.results(job.id), rules)
    display.settled(label, settle(view, results))
    return results
