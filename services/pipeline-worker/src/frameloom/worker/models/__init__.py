"""Model weights: which ones, from where, and a cache that is filled once and checked."""

from frameloom.worker.models.spec import ModelSpec, ModelUnavailableError, PackageSource
from frameloom.worker.models.store import ModelStore

__all__ = ["ModelSpec", "ModelStore", "ModelUnavailableError", "PackageSource"]
