"""Pipelines that misbehave in a child process: for the tests of what holds it."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable
from pathlib import Path

from frameloom.common.pipelines import ArtefactSpec, Item, MediaInfo, PipelineInfo
from frameloom.worker.frames.base import FrameBatch, FrameRequest, Sampling
from frameloom.worker.pipelines.base import FramePipeline, PipelineConfig


class OddConfig(PipelineConfig):
    """What it does at the first frame."""

    act: str = "rows"
    file: str = ""


class Odd(FramePipeline):
    """Does one odd thing at its first frame."""

    info = PipelineInfo(name="odd", version="7", display_name="Odd", description="For tests.")
    Config = OddConfig

    def request(self, media: MediaInfo) -> FrameRequest:
        return FrameRequest(Sampling.every_frame(), batch_size=4)

    def process(self, batch: FrameBatch) -> Iterable[Item]:
        assert isinstance(self.config, OddConfig)
        getattr(self, f"_{self.config.act}")(Path(self.config.file))
        yield from (Item(list="annotations", row={"frame": int(n)}) for n in batch.frame_numbers)

    def artefacts(self) -> tuple[ArtefactSpec, ...]:
        return (ArtefactSpec(suffix="_odd.json", lists=("annotations",)),)

    def _rows(self, file: Path) -> None:
        print("libraries print")

    def _raise(self, file: Path) -> None:
        raise RuntimeError("odd")

    def _memory(self, file: Path) -> None:
        raise MemoryError

    def _segfault(self, file: Path) -> None:
        os.kill(os.getpid(), signal.SIGSEGV)

    def _exit(self, file: Path) -> None:
        sys.exit(3)

    def _hang(self, file: Path) -> None:
        file.write_text(str(os.getpid()))
        threading.Event().wait()

    def _wait(self, file: Path) -> None:
        """Says that it is here, and waits until the file is there."""
        file.with_suffix(".waits").touch()
        while not file.exists():  # files tell nobody
            threading.Event().wait(0.01)

    def _family(self, file: Path) -> None:
        """Starts a process that keeps every descriptor of ours, then dies."""
        other = subprocess.Popen(["sleep", "600"], close_fds=False)
        file.write_text(str(other.pid))
        os.kill(os.getpid(), signal.SIGSEGV)

    def _close(self, file: Path) -> None:
        """Hangs up and stays, in native code that does not give the interpreter back."""
        sys.setswitchinterval(60)
        native = ctypes.PyDLL(None)
        native.shutdown(int(sys.argv[1]), socket.SHUT_WR)
        native.sleep(600)
