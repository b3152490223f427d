"""Model weights: which ones, from where, and a cache that is filled once and checked."""

from frameloom.worker.models.spec import (
    JoinedSource,
    ModelSpec,
    ModelUnavailableError,
    NpmSource,
    OperatorSource,
    PackageSource,
    ZippedSource,
)
from frameloom.worker.models.store import ModelStore

__all__ = [
    "JoinedSource",
    "ModelSpec",
    "ModelStore",
    "ModelUnavailableError",
    "NpmSource",
    "OperatorSource",
    "PackageSource",
    "ZippedSource",
]
