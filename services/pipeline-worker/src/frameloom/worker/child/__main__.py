"""The child's side: waits for requests, runs pipelines, answers. Blocking code; ended by a kill."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence

import structlog

from frameloom.common.documents import FailureCategory, PipelineOffer
from frameloom.common.documents.facts import CudaFacts
from frameloom.common.logging import configure_logging
from frameloom.common.pipelines import Item, Progress
from frameloom.common.settings import LogSettings, load
from frameloom.worker.child.chunker import Chunker
from frameloom.worker.child.protocol import (
    LENGTH,
    REQUEST,
    Chunk,
    Describe,
    Description,
    Done,
    Failed,
    Progressed,
    Run,
    Warm,
    pack,
)
from frameloom.worker.errors import TaskError
from frameloom.worker.models.store import ModelStore
from frameloom.worker.pipelines.base import Pipeline
from frameloom.worker.pipelines.registry import load_pipelines
from frameloom.worker.pipelines.runner import run

_PROGRESS_SECONDS = 0.2
_PR_SET_PDEATHSIG = 1
log = structlog.get_logger(__name__)


class Child:
    """Serves one parent until it goes away."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._models = ModelStore()
        self._pipelines: dict[str, type[Pipeline]] | None = None
        self._last_progress = 0.0
        self._ran: set[str] = set()
        self._told: Warm | None = None

    def serve(self) -> None:
        """Answers requests, one at a time."""
        while (request := self._receive()) is not None:
            if isinstance(request, Describe):
                self._describe(request)
            else:
                self._run(request)

    def _describe(self, request: Describe) -> None:
        self._pipelines = load_pipelines(request.extra_pipelines)
        offers = []
        for name, pipeline in sorted(self._pipelines.items()):
            usable, reason = pipeline.available(self._models)
            info = pipeline.info.model_copy(update={"config_schema": pipeline.Config.model_json_schema()})
            known = {spec.name for spec in self._models.specs}  # with those that the pipeline brings itself
            models = tuple(self._models.facts(model) for model in pipeline.required_models if model in known)
            offers.append(PipelineOffer(id=name, info=info, available=usable, reason=reason, models=models))
        self._send(Description(offers=tuple(offers), versions=_versions()))

    def _run(self, request: Run) -> None:
        end = self._end_of(request)
        self._tell_warmth(with_memory=True)
        self._send(end)

    def _end_of(self, request: Run) -> Done | Failed:
        try:
            return self._annotate(request)
        except TaskError as error:
            return Failed(category=error.category, message=error.message)
        except MemoryError:
            return Failed(category=FailureCategory.MEMORY_PRESSURE, message="The worker ran out of memory.")
        except Exception as error:  # a pipeline may raise anything, and the parent must hear of it
            log.exception("pipeline failed", pipeline=request.pipeline)
            return Failed(
                category=FailureCategory.SYSTEM,
                message=f"The pipeline {request.pipeline} failed: {type(error).__name__}: {error}",
            )

    def _annotate(self, request: Run) -> Done:
        assert self._pipelines is not None, "the parent describes first"
        kind = self._pipelines[request.pipeline]
        pipeline = kind.configured(request.config, self._models)
        chunker = Chunker()

        def emit(items: Sequence[Item], start: float, end: float) -> None:
            self._send_all(chunker.add(items, start, end, time.monotonic()))

        summary = run(pipeline, request.path, emit=emit, progress=self._progress, video_id=request.stem)
        self._send_all(chunker.rest())
        self._ran.add(request.pipeline)
        return Done(
            frames=summary.frames,
            media_seconds=summary.media_seconds,
            decoder=summary.backend,
            models=summary.models,
            pipeline_version=kind.info.version,
            config=pipeline.config.model_dump(mode="json"),
            artefacts=summary.artefacts,
        )

    def _progress(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._last_progress >= _PROGRESS_SECONDS or progress.fraction >= 1.0:
            self._last_progress = now
            self._tell_warmth(with_memory=False)
            self._send(Progressed(progress=progress))

    def _tell_warmth(self, *, with_memory: bool) -> None:
        """Tells what is kept, if it is news. The memory behind it always changes: that is told at ends."""
        cuda = _cuda() if with_memory else self._told.cuda if self._told else None
        warm = Warm(pipelines=tuple(sorted(self._ran)), models=self._models.loaded(), cuda=cuda)
        if warm != self._told:
            self._told = warm
            self._send(warm)

    def _send_all(self, chunks: Sequence[Chunk]) -> None:
        for chunk in chunks:
            self._send(chunk)

    def _send(self, message: Description | Warm | Chunk | Progressed | Done | Failed) -> None:
        self._connection.sendall(pack(message))

    def _receive(self) -> Describe | Run | None:
        head = self._exactly(LENGTH.size)
        if head is None:
            return None
        body = self._exactly(LENGTH.unpack(head)[0])
        return None if body is None else REQUEST.validate_json(body)

    def _exactly(self, size: int) -> bytes | None:
        parts: list[bytes] = []
        while size:
            part = self._connection.recv(size)
            if not part:
                return None
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


def _versions() -> dict[str, str]:
    """Of what was imported and has no distribution of its own."""
    version = getattr(sys.modules.get("av"), "ffmpeg_version_info", None)
    return {"ffmpeg": str(version)} if version else {}


def _cuda() -> CudaFacts | None:
    """What torch holds of a GPU, if a pipeline has imported it and used one."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return None
    capabilities = [
        (int(name[3:-1]), int(name[-1])) for name in torch.cuda.get_arch_list() if name[3:].isdigit()
    ]
    return CudaFacts(
        memory_allocated_bytes=int(torch.cuda.memory_allocated()),
        memory_reserved_bytes=int(torch.cuda.memory_reserved()),
        oldest_capability="{}.{}".format(*min(capabilities)) if capabilities else None,
    )


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
    Child(connection).serve()


if __name__ == "__main__":
    main()
