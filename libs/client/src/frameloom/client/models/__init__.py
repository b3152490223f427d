"""What the gateway answers, typed."""

from frameloom.client.models.access import EventToken, ViewerLink
from frameloom.client.models.answer import TERMINAL, Answer
from frameloom.client.models.events import FeedItem, JobEvent, Progress, TaskProgress
from frameloom.client.models.jobs import Job, JobPage, JobResults, PipelineResult, ResultFile
from frameloom.client.models.keys import ApiKey, NewApiKey
from frameloom.client.models.pipelines import (
    Parameter,
    Pipeline,
    PipelineList,
    PipelineSchema,
    Problem,
    Validation,
)
from frameloom.client.models.system import SystemHealth

__all__ = [
    "TERMINAL",
    "Answer",
    "ApiKey",
    "EventToken",
    "FeedItem",
    "Job",
    "JobEvent",
    "JobPage",
    "JobResults",
    "NewApiKey",
    "Parameter",
    "Pipeline",
    "PipelineList",
    "PipelineResult",
    "PipelineSchema",
    "Problem",
    "Progress",
    "ResultFile",
    "SystemHealth",
    "TaskProgress",
    "Validation",
    "ViewerLink",
]
