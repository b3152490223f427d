"""The documents that MongoDB owns: jobs, tasks, uploads, API keys, and the fleet's announcements."""

from frameloom.common.documents.fleet import FleetMember, Liveness, PipelineOffer, Service
from frameloom.common.documents.job import LISTED, JobDocument, JobEvent, JobStatus, MediaRef, TaskSummary
from frameloom.common.documents.key import ApiKey, KeyLimits
from frameloom.common.documents.media import MediaFacts
from frameloom.common.documents.segments import Segment, SegmentRows
from frameloom.common.documents.task import (
    Artefact,
    Attempt,
    Failure,
    FailureCategory,
    Outcome,
    TaskDocument,
    TaskEvent,
    TaskResult,
    TaskState,
)
from frameloom.common.documents.upload import (
    Refusal,
    StoredPart,
    StoredPiece,
    Upload,
    UploadState,
    UploadWay,
)

__all__ = [
    "LISTED",
    "ApiKey",
    "Artefact",
    "Attempt",
    "Failure",
    "FailureCategory",
    "FleetMember",
    "JobDocument",
    "JobEvent",
    "JobStatus",
    "KeyLimits",
    "Liveness",
    "MediaFacts",
    "MediaRef",
    "Outcome",
    "PipelineOffer",
    "Refusal",
    "Segment",
    "SegmentRows",
    "Service",
    "StoredPart",
    "StoredPiece",
    "TaskDocument",
    "TaskEvent",
    "TaskResult",
    "TaskState",
    "TaskSummary",
    "Upload",
    "UploadState",
    "UploadWay",
]
