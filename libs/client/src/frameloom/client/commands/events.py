"""``frameloom events``: what happens on the server, as it happens."""
# ruff: noqa: PLC0415 - imports at need keep `--help` quick

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated

import typer

from frameloom.client import options
from frameloom.client.mode import MODE

if TYPE_CHECKING:
    from frameloom.client.api import AsyncClient
    from frameloom.client.models import FeedItem


_FACTS = ("pipeline", "category", "message", "error_message")


def events(
    job: Annotated[
        str | None, typer.Argument(metavar="[JOB]", help="Only this job, from its first event to its last.")
    ] = None,
    after: Annotated[
        str | None, typer.Option("--after", metavar="ID", help="Go on after this event: <job>:<number>.")
    ] = None,
    progress: Annotated[bool, typer.Option("--progress", help="Tell progress as well.")] = False,
    server: options.Server = None,
    key_file: options.KeyFile = None,
    as_json: options.AsJson = False,  # noqa: ARG001 - taken by its callback
    debug: options.Debug = False,  # noqa: ARG001 - taken by its callback
) -> None:
    """Tell the events of a job, or of all jobs from now on, a line each; with --json as JSON Lines."""
    from frameloom.client.running import run

    run(_tell(options.connected(server, key_file), job, after, progress=progress))


async def _tell(connection: AsyncClient, job: str | None, after: str | None, *, progress: bool) -> None:
    from frameloom.client.render import output

    async with connection as client, aclosing(client.events(job, last_event_id=after)) as feed:
        async for item in feed:
            if item.type == "task.progress" and not progress:
                continue
            if MODE.json:
                output.emit_json(item.model_dump(mode="json", exclude_none=True), pretty=False)
            else:
                output.result(_line(item, of_all=job is None))


def _line(item: FeedItem, *, of_all: bool) -> str:
    """Time, event, job where that is not known, and the facts of it."""
    from frameloom.client.models import TaskProgress
    from frameloom.client.render.tables import moment

    if isinstance(item, TaskProgress):
        done = item.progress
        when, facts = "", [f"{item.pipeline} {done.fraction * 100:.0f}% {done.stage}".rstrip()]
    else:
        when = moment(item.time) if item.time else ""
        told = (item.data.get(name) for name in _FACTS)
        facts = [str(fact) for fact in told if fact]
    named = f"  {item.job_id}" if of_all else ""
    return f"{when:19}  {item.type:<14}{named}  {'; '.join(facts)}".rstrip()
