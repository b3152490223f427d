"""What can go wrong with the embedded stack."""

from __future__ import annotations

from frameloom.common.errors import FrameloomError


class EmbeddedStackError(FrameloomError):
    """The embedded stack can not be started or kept running."""

    code = "EMBEDDED_STACK"


class DataDirectoryInUseError(EmbeddedStackError):
    """Another embedded stack runs on this data directory."""

    code = "DATA_DIRECTORY_IN_USE"


class ServerMissingError(EmbeddedStackError):
    """A server's program is not installed."""

    code = "EMBEDDED_SERVER_MISSING"


class ServerStartError(EmbeddedStackError):
    """A server ended, or did not answer in time, while it was starting."""

    code = "EMBEDDED_SERVER_START"


class PortInUseError(EmbeddedStackError):
    """The port that was asked for belongs to another process."""

    code = "PORT_IN_USE"
