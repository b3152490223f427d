"""Why media are not fetched from an address."""

from __future__ import annotations

from frameloom.common.errors import FrameloomError


class UrlIngestionDisabledError(FrameloomError):
    """This server fetches nothing from addresses."""

    code = "VIDEO_URL_DISABLED"
    status = 400

    def __init__(self) -> None:
        super().__init__(
            "This server does not fetch media from addresses",
            hint="Send the file itself as the part video. The operator can allow video_url with "
            "FRAMELOOM_GATEWAY_URL_INGESTION=true.",
        )


class UrlRefusedError(FrameloomError):
    """The address in `video_url`, or one that it leads to, is not fetched from."""

    code = "VIDEO_URL_REFUSED"
    status = 400

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"The address in video_url is not fetched from: {reason}",
            hint="Give a public https address of the file, or send the file itself as the part video.",
        )


class UrlFetchError(FrameloomError):
    """The file at the address can not be fetched."""

    code = "VIDEO_URL_FAILED"
    status = 400

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"The file at video_url can not be fetched. {reason}",
            hint="Check that the address gives the file to anybody, without a login.",
        )
