"""Why the viewer can not be had."""

from __future__ import annotations

from frameloom.common.errors import NotFoundError


class ViewerNotFoundError(NotFoundError):
    """There is no viewer here, or no such file in it."""

    code = "VIEWER_NOT_FOUND"
