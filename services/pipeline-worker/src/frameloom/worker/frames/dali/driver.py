"""Whether DALI is installed, and the GPU that it would use. Neither is an answer, never an error."""

from __future__ import annotations

import ctypes
import functools
import importlib.metadata
import importlib.util
from dataclasses import dataclass

_COMPUTE_CAPABILITY_MAJOR, _COMPUTE_CAPABILITY_MINOR = 75, 76  # CUdevice_attribute of the driver's interface


@dataclass(frozen=True, slots=True)
class Gpu:
    """The first GPU that this process may use.

    Attributes:
        capability: Its compute capability, as ``(9, 0)``.
    """

    capability: tuple[int, int]


@functools.cache
def dali_version() -> str | None:
    """The installed version; None without DALI. Looks for the package, does not import it."""
    try:
        if importlib.util.find_spec("nvidia.dali") is None:
            return None
    except ModuleNotFoundError:
        return None
    for name in ("nvidia-dali-cuda130", "nvidia-dali-cuda120"):
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "of unknown version"


@functools.cache
def gpu() -> Gpu | None:
    """The GPU that comes first for CUDA, which heeds ``CUDA_VISIBLE_DEVICES``; None without a driver."""
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return None
    device = ctypes.c_int()
    if cuda.cuInit(0) or cuda.cuDeviceGet(ctypes.byref(device), 0):
        return None
    major, minor = ctypes.c_int(), ctypes.c_int()
    for number, attribute in ((major, _COMPUTE_CAPABILITY_MAJOR), (minor, _COMPUTE_CAPABILITY_MINOR)):
        if cuda.cuDeviceGetAttribute(ctypes.byref(number), attribute, device):
            return None
    return Gpu((major.value, minor.value))
