"""The films of ``annotate --preview``: each video with what was found on it, beside its results."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from contextlib import suppress

from frameloom.client.annotating import Order
from frameloom.client.drawing.film import Look, Progress
from frameloom.client.drawing.order import Order as Drawing
from frameloom.client.drawing.order import make
from frameloom.client.errors import ClientError, ExitCode
from frameloom.client.mode import MODE
from frameloom.client.render.output import emit_json, result, say, say_error
from frameloom.client.render.transfer import drawing
from frameloom.client.reports import Report


class _StoppedError(Exception):
    """The user does not wait for it any more."""


async def drawn(order: Order, reports: Sequence[Report]) -> ExitCode:
    """Draws what has arrived of each video, in a thread; a cancellation stops it.

    A video that can not be drawn is told, and keeps none of the others back.

    Returns:
        What the command ends with if all else went well: ``worst`` of the jobs outweighs it.
    """
    stop = threading.Event()
    work = asyncio.create_task(asyncio.to_thread(_draw, order, reports, stop))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        stop.set()
        with suppress(_StoppedError):
            await work
        raise


def _draw(order: Order, reports: Sequence[Report], stop: threading.Event) -> ExitCode:
    code = ExitCode.OK
    for video, folder, report in zip(order.videos, order.folders(), reports, strict=True):
        if not report.files:
            continue
        film = folder / f"{video.stem}_preview.mp4"
        try:
            with drawing(f"{video.name}: preview", quiet=MODE.json) as shown:
                made = make(Drawing(video, folder, film, look=Look()), _watched(shown, stop))
        except ClientError as error:
            say_error(f"{video.name}: no preview: {error.message}", error.hint)
            code = error.exit_code
            continue
        if MODE.json:
            emit_json({"type": "client.preview", "video": str(video), **made.document()}, pretty=False)
        else:
            result(str(film))
            for line in made.lines():
                say(line)
    return code


def _watched(shown: Progress | None, stop: threading.Event) -> Progress:
    def tell(done: float, total: float) -> None:
        if stop.is_set():
            raise _StoppedError
        if shown is not None:
            shown(done, total)

    return tell
