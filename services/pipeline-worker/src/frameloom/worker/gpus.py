"""The GPUs of this machine, asked from their driver. None is an answer, never an error."""

from __future__ import annotations

import pynvml
import structlog

from frameloom.common.documents.facts import GpuFacts

log = structlog.get_logger(__name__)


class GpuProbe:
    """Reads the facts of all GPUs through NVML. Blocking: to be called by a sampling thread."""

    def __init__(self) -> None:
        self._open = False
        self._absent = False

    def read(self) -> tuple[GpuFacts, ...]:
        """Looks once; a machine without a driver is not asked again."""
        if self._absent or not self._opened():
            return ()
        try:
            driver, cuda = _text(pynvml.nvmlSystemGetDriverVersion()), _cuda_version()
            return tuple(_gpu(index, driver, cuda) for index in range(pynvml.nvmlDeviceGetCount()))
        except pynvml.NVMLError as error:
            # A driver that was unloaded or a card that fell off the bus: the next look begins anew.
            log.warning("GPUs do not answer", reason=str(error))
            self._open = False
            return ()

    def _opened(self) -> bool:
        if not self._open:
            try:
                pynvml.nvmlInit()
            except (pynvml.NVMLError_LibraryNotFound, pynvml.NVMLError_DriverNotLoaded):
                self._absent = True
                return False
            except pynvml.NVMLError as error:
                log.warning("GPUs do not answer", reason=str(error))
                return False
            self._open = True
        return True


def _gpu(index: int, driver: str, cuda: str | None) -> GpuFacts:
    handle = pynvml.nvmlDeviceGetHandleByIndex(index)
    memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    return GpuFacts(
        index=index,
        uuid=_text(pynvml.nvmlDeviceGetUUID(handle)),
        name=_text(pynvml.nvmlDeviceGetName(handle)),
        memory_total_bytes=int(memory.total),
        memory_used_bytes=int(memory.used),
        memory_free_bytes=int(memory.free),
        utilization_percent=_utilization(handle),
        driver_version=driver,
        cuda_version=cuda,
        compute_capability=_capability(handle),
    )


def _cuda_version() -> str | None:
    try:
        number = int(pynvml.nvmlSystemGetCudaDriverVersion_v2())
    except pynvml.NVMLError:
        return None
    return f"{number // 1000}.{number % 1000 // 10}"


def _capability(handle: object) -> str | None:
    try:
        major, minor = pynvml.nvmlDeviceGetCudaComputeCapability(handle)
    except pynvml.NVMLError:
        return None
    return f"{major}.{minor}"


def _utilization(handle: object) -> int | None:
    """Not every card tells it: not inside a MIG slice, for one."""
    try:
        return int(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu)
    except pynvml.NVMLError:
        return None


def _text(value: str | bytes) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value
