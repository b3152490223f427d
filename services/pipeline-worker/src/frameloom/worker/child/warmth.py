"""What the child keeps between runs, told to the parent whenever it is news."""

from __future__ import annotations

import sys
import threading

from frameloom.common.documents.facts import CudaFacts
from frameloom.worker.child.line import Line
from frameloom.worker.child.protocol import Warm
from frameloom.worker.models.store import ModelStore


class Warmth:
    """Keeps in mind which pipelines have run, and what was told of them.

    Args:
        models: Those that are loaded are kept.
        line: To the parent.
    """

    def __init__(self, models: ModelStore, line: Line) -> None:
        self._models = models
        self._line = line
        self._ran: set[str] = set()
        self._told: Warm | None = None
        self._telling = threading.Lock()

    def working(self) -> None:
        """A pipeline works: it may have loaded a model. The memory behind it changes all the time."""
        self._tell(self._told.cuda if self._told else None)

    def ended(self, pipeline: str, *, completed: bool) -> None:
        """A pipeline has come to its end, before that is told."""
        if completed:
            self._ran.add(pipeline)
        self._tell(_cuda())

    def _tell(self, cuda: CudaFacts | None) -> None:
        with self._telling:
            warm = Warm(pipelines=tuple(sorted(self._ran)), models=self._models.loaded(), cuda=cuda)
            if warm != self._told:
                self._told = warm
                self._line.send(warm)


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
