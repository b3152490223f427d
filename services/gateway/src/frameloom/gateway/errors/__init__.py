"""The errors that only the gateway raises, beside those of ``frameloom.common``: one module a subject."""

from frameloom.gateway.errors.access import (
    ForbiddenError,
    NotAuthenticatedError,
    ScopeMissingError,
    UnauthorizedError,
)
from frameloom.gateway.errors.jobs import (
    JobAlreadyCompletedError,
    NoArtifactsError,
    ResultFileNotFoundError,
)
from frameloom.gateway.errors.keys import (
    KeyEndedError,
    KeyNotFoundError,
    LimitsForbiddenError,
    OtherTenantError,
)
from frameloom.gateway.errors.limits import QuotaExceededError, RateLimitedError, TooManyRequestsError
from frameloom.gateway.errors.pipelines import (
    PipelineNotFoundError,
    PipelineUnavailableError,
    UnknownPipelineError,
)
from frameloom.gateway.errors.requests import (
    BusyError,
    InvalidConfigError,
    InvalidRequestError,
    PreconditionFailedError,
    RangeNotSatisfiableError,
    RequestInvalidError,
)
from frameloom.gateway.errors.sockets import (
    MessageInvalidError,
    OriginRefusedError,
    SubscriptionError,
    UpgradeRequiredError,
)
from frameloom.gateway.errors.uploads import (
    IndirectMediaError,
    MediaDamagedError,
    MediaLimitError,
    MediaNotUsableError,
    NoMediaStreamError,
    PayloadTooLargeError,
    ProbeFailedError,
    ProbeTimeoutError,
    ProbeUnavailableError,
    StillImageError,
    UnsupportedCodecError,
    UnsupportedMediaError,
    UploadAbortedError,
    UploadTimeoutError,
)
from frameloom.gateway.errors.viewer import ConnectTokenUsedError, NoViewerError, ViewerNotFoundError

__all__ = [
    "BusyError",
    "ConnectTokenUsedError",
    "ForbiddenError",
    "IndirectMediaError",
    "InvalidConfigError",
    "InvalidRequestError",
    "JobAlreadyCompletedError",
    "KeyEndedError",
    "KeyNotFoundError",
    "LimitsForbiddenError",
    "MediaDamagedError",
    "MediaLimitError",
    "MediaNotUsableError",
    "MessageInvalidError",
    "NoArtifactsError",
    "NoMediaStreamError",
    "NoViewerError",
    "NotAuthenticatedError",
    "OriginRefusedError",
    "OtherTenantError",
    "PayloadTooLargeError",
    "PipelineNotFoundError",
    "PipelineUnavailableError",
    "PreconditionFailedError",
    "ProbeFailedError",
    "ProbeTimeoutError",
    "ProbeUnavailableError",
    "QuotaExceededError",
    "RangeNotSatisfiableError",
    "RateLimitedError",
    "RequestInvalidError",
    "ResultFileNotFoundError",
    "ScopeMissingError",
    "StillImageError",
    "SubscriptionError",
    "TooManyRequestsError",
    "UnauthorizedError",
    "UnknownPipelineError",
    "UnsupportedCodecError",
    "UnsupportedMediaError",
    "UpgradeRequiredError",
    "UploadAbortedError",
    "UploadTimeoutError",
    "ViewerNotFoundError",
]
