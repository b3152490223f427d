"""Why the viewer can not be had."""

from __future__ import annotations

from frameloom.common.errors import ConflictError, NotFoundError


class ViewerNotFoundError(NotFoundError):
    """There is no viewer here, or no such file in it."""

    code = "VIEWER_NOT_FOUND"


class NoViewerError(ViewerNotFoundError):
    """The operator has installed none."""

    def __init__(self) -> None:
        super().__init__(
            "No viewer is installed on this server",
            hint="Its operator sets FRAMELOOM_GATEWAY_VIEWER_DIR to a copy of video-annotation-viewer that "
            "was built with --base=/viewer/.",
        )


class ConnectTokenUsedError(ConflictError):
    """A connect link is good for one browser, once."""

    code = "CONNECT_TOKEN_USED"

    def __init__(self) -> None:
        super().__init__(
            "This link has been used already",
            hint="Ask for another one with `frameloom viewer`, or POST /api/v1/viewer/connect.",
        )
