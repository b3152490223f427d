"""The child's side: waits for requests, runs pipelines, answers. Blocking code; ended by a kill."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import socket
import sys
import threading

from frameloom.common.logging import configure_logging
from frameloom.common.settings import LogSettings, load
from frameloom.worker.child.line import Line
from frameloom.worker.child.protocol import Describe, Description, Member, Run
from frameloom.worker.child.voice import Voice, failure
from frameloom.worker.child.warmth import Warmth
from frameloom.worker.models.store import ModelStore
from frameloom.worker.niceness import yield_to_others
from frameloom.worker.pipelines.base import Pipeline
from frameloom.worker.pipelines.parts import Part
from frameloom.worker.pipelines.registry import load_pipelines, offer
from frameloom.worker.pipelines.runner import run_together, stitch
from frameloom.worker.settings import WorkerSettings

_PR_SET_PDEATHSIG = 1


class Child:
    """Serves one parent until it goes away."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._models = ModelStore()
        self._pipelines: dict[str, type[Pipeline]] | None = None
        self._warmth = Warmth(self._models, line)

    def serve(self) -> None:
        """Answers requests, one at a time."""
        while (request := self._line.next()) is not None:
            if isinstance(request, Describe):
                self._describe(request)
            else:
                self._run(request)

    def _describe(self, request: Describe) -> None:
        self._pipelines = load_pipelines(request.extra_pipelines)
        offers = tuple(offer(pipeline, self._models) for pipeline in self._pipelines.values())
        self._line.send(Description(offers=offers, versions=_versions()))

    def _run(self, request: Run) -> None:
        parts = [part for member in request.members if (part := self._part(member)) is not None]
        if request.stitch:
            for part in parts:
                stitch(part, request.path, request.stem)
        else:
            run_together(parts, request.path, video_id=request.stem, segment=request.segment)

    def _part(self, member: Member) -> Part | None:
        """The pipeline, ready to run; None if it can not be made, which is told."""
        assert self._pipelines is not None, "the parent describes first"
        try:
            kind = self._pipelines[member.pipeline]
            pipeline = kind.configured(member.config, self._models)
            config = pipeline.config.model_dump(mode="json")
        except Exception as error:  # noqa: BLE001 - the member is told, the others go on
            self._warmth.ended(member.pipeline, completed=False)
            self._line.send(failure(member, error))
            return None

        return Part(pipeline, Voice(member, kind.info.version, config, self._line, self._warmth))


def _versions() -> dict[str, str]:
    """Of what was imported and has no distribution of its own."""
    version = getattr(sys.modules.get("av"), "ffmpeg_version_info", None)
    return {"ffmpeg": str(version)} if version else {}


def _end_with_parent(connection: socket.socket) -> None:
    """Ends this process when the parent's end of the socket closes, whatever the pipeline is doing.

    A killed worker can not end its children. Without this they would compute on for nobody. On Linux the
    kernel sees to it, also while native code holds the interpreter; elsewhere the socket tells.
    """
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    hangup = select.POLLHUP | getattr(select, "POLLRDHUP", 0)
    poll = select.poll()
    poll.register(connection.fileno(), hangup)

    def watch() -> None:
        poll.poll()
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def main() -> None:
    """Serves the parent on the socket whose number is the first argument."""
    configure_logging("worker-child", load(LogSettings))
    connection = socket.socket(fileno=int(sys.argv[1]))
    _end_with_parent(connection)
    yield_to_others(load(WorkerSettings).nice)
    Child(Line(connection)).serve()


if __name__ == "__main__":
    main()
