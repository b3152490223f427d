"""The client side of Frameloom: a typed HTTP client and the ``frameloom`` command.

It speaks the gateway's REST API and needs no other part of Frameloom::

    from frameloom.client import Client

    with Client("http://127.0.0.1:18011", api_key="va_…") as client:
        job = client.submit("holiday.mp4", pipelines=["face_analysis"])
        results = client.wait(job.id)
        files = client.download(job.id, "annotations")

:class:`AsyncClient` has the same methods as coroutines. What is named here is loaded when it is first used,
so that the command starts quickly.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from frameloom.client.api import AsyncClient
    from frameloom.client.archives import Archive
    from frameloom.client.credentials import Key
    from frameloom.client.download import Downloaded
    from frameloom.client.errors import (
        AuthenticationError,
        ClientError,
        ConflictError,
        IntegrityError,
        NotFoundError,
        PermissionDeniedError,
        RateLimitedError,
        RefusedError,
        ServerError,
        UnavailableError,
        UnreachableError,
        UsageError,
        WaitTimeoutError,
    )
    from frameloom.client.events import FollowPolicy
    from frameloom.client.models import (
        ApiKey,
        EventToken,
        FeedItem,
        Job,
        JobEvent,
        JobPage,
        JobResults,
        NewApiKey,
        Pipeline,
        PipelineResult,
        PipelineSchema,
        Problem,
        Progress,
        ResultFile,
        SystemHealth,
        TaskProgress,
        Validation,
        ViewerLink,
    )
    from frameloom.client.retries import RetryPolicy
    from frameloom.client.sync import Client

__version__ = "0.1.0"

_PLACES = {
    "api": ("AsyncClient",),
    "archives": ("Archive",),
    "credentials": ("Key",),
    "download": ("Downloaded",),
    "errors": (
        "AuthenticationError",
        "ClientError",
        "ConflictError",
        "IntegrityError",
        "NotFoundError",
        "PermissionDeniedError",
        "RateLimitedError",
        "RefusedError",
        "ServerError",
        "UnavailableError",
        "UnreachableError",
        "UsageError",
        "WaitTimeoutError",
    ),
    "events": ("FollowPolicy",),
    "models": (
        "ApiKey",
        "EventToken",
        "FeedItem",
        "Job",
        "JobEvent",
        "JobPage",
        "JobResults",
        "NewApiKey",
        "Pipeline",
        "PipelineResult",
        "PipelineSchema",
        "Problem",
        "Progress",
        "ResultFile",
        "SystemHealth",
        "TaskProgress",
        "Validation",
        "ViewerLink",
    ),
    "retries": ("RetryPolicy",),
    "sync": ("Client",),
}
_MODULE_OF = {name: module for module, names in _PLACES.items() for name in names}

__all__ = [
    "ApiKey",
    "Archive",
    "AsyncClient",
    "AuthenticationError",
    "Client",
    "ClientError",
    "ConflictError",
    "Downloaded",
    "EventToken",
    "FeedItem",
    "FollowPolicy",
    "IntegrityError",
    "Job",
    "JobEvent",
    "JobPage",
    "JobResults",
    "Key",
    "NewApiKey",
    "NotFoundError",
    "PermissionDeniedError",
    "Pipeline",
    "PipelineResult",
    "PipelineSchema",
    "Problem",
    "Progress",
    "RateLimitedError",
    "RefusedError",
    "ResultFile",
    "RetryPolicy",
    "ServerError",
    "SystemHealth",
    "TaskProgress",
    "UnavailableError",
    "UnreachableError",
    "UsageError",
    "Validation",
    "ViewerLink",
    "WaitTimeoutError",
    "__version__",
]


def __getattr__(name: str) -> Any:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{module}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
