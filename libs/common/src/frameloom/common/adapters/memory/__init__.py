"""The ports in memory: for unit tests, and held to the same contract tests as the real adapters."""

from frameloom.common.adapters.memory.database import MemoryDatabase
from frameloom.common.adapters.memory.jobs import MemoryJobStore
from frameloom.common.adapters.memory.keys import MemoryKeyStore, MemorySecretStore
from frameloom.common.adapters.memory.objects import MemoryObjectStore
from frameloom.common.adapters.memory.publisher import MemoryPublisher
from frameloom.common.adapters.memory.stores import MemoryFleetStore, MemoryTaskStore
from frameloom.common.adapters.memory.uploads import MemoryUploadStore

__all__ = [
    "MemoryDatabase",
    "MemoryFleetStore",
    "MemoryJobStore",
    "MemoryKeyStore",
    "MemoryObjectStore",
    "MemoryPublisher",
    "MemorySecretStore",
    "MemoryTaskStore",
    "MemoryUploadStore",
]
