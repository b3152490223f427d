"""The table of the API: every operation with its names as in VideoAnnotator's OpenAPI document."""

from __future__ import annotations

from dataclasses import dataclass

from frameloom.gateway.handlers.debug import DebugHandlers
from frameloom.gateway.handlers.direct import DirectHandlers
from frameloom.gateway.handlers.events import EventHandlers
from frameloom.gateway.handlers.files import FileHandlers
from frameloom.gateway.handlers.health import HealthHandlers
from frameloom.gateway.handlers.jobs import JobHandlers
from frameloom.gateway.handlers.keys import KeyHandlers
from frameloom.gateway.handlers.pipelines import PipelineHandlers
from frameloom.gateway.handlers.results import ResultHandlers
from frameloom.gateway.handlers.system import SystemHandlers
from frameloom.gateway.handlers.uploads import UploadHandlers
from frameloom.gateway.handlers.validation import ValidationHandlers
from frameloom.gateway.handlers.viewer import ViewerHandlers
from frameloom.gateway.http.typed import Operation
from frameloom.gateway.routes.debug import debug_operations
from frameloom.gateway.routes.events import event_operations
from frameloom.gateway.routes.files import file_operations, result_operations
from frameloom.gateway.routes.health import health_operations
from frameloom.gateway.routes.jobs import job_operations
from frameloom.gateway.routes.keys import key_operations
from frameloom.gateway.routes.pipelines import pipeline_operations, validation_operations
from frameloom.gateway.routes.system import system_operations
from frameloom.gateway.routes.uploads import direct_operations, upload_operations
from frameloom.gateway.routes.viewer import viewer_operations


@dataclass(frozen=True, slots=True)
class Handlers:
    """All handlers of the gateway.

    Attributes:
        debug: None: ``/debug`` does not exist.
    """

    jobs: JobHandlers
    results: ResultHandlers
    files: FileHandlers
    pipelines: PipelineHandlers
    validation: ValidationHandlers
    health: HealthHandlers
    events: EventHandlers
    system: SystemHandlers
    keys: KeyHandlers
    uploads: UploadHandlers
    direct: DirectHandlers
    viewer: ViewerHandlers
    debug: DebugHandlers | None = None


def operations(handlers: Handlers) -> list[Operation]:
    """The whole API."""
    return [
        *job_operations(handlers.jobs),
        *result_operations(handlers.results),
        *file_operations(handlers.files),
        *pipeline_operations(handlers.pipelines),
        *validation_operations(handlers.validation),
        *health_operations(handlers.health),
        *event_operations(handlers.events),
        *system_operations(handlers.system),
        *key_operations(handlers.keys),
        *upload_operations(handlers.uploads),
        *direct_operations(handlers.direct),
        *viewer_operations(handlers.viewer),
        *(debug_operations(handlers.debug) if handlers.debug else ()),
    ]
