"""Free loopback ports, the same ones again where possible."""

from __future__ import annotations

import random
import socket
import time

from frameloom.local.errors import EmbeddedStackError

GRPC_OFFSET = 10_000
"""SeaweedFS takes a service's gRPC port to be its HTTP port plus this, in places whatever it is told."""

# Below the range from which systems give ports to outgoing connections, with and without the offset, so
# that a port kept in a data directory is not taken meanwhile by a passing connection.
_LOWEST, _HIGHEST = 14_000, 21_999
_TRIES = 400
_PATIENCE_SECONDS = 1.5
_POLL_SECONDS = 0.05


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen on this port now."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def assign(names: dict[str, bool], kept: dict[str, int]) -> dict[str, int]:
    """Gives every name a free port, the kept one where it is free.

    A kept port may still belong to a server of a stack that was killed a moment ago, so a busy one gets a
    short while to become free.

    Args:
        names: Name to whether its gRPC twin (port plus offset) must be free too.
        kept: The ports of the last run.

    Raises:
        EmbeddedStackError: No free port was found.
    """
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline and not all(
        _usable(kept[name], names[name]) for name in kept if name in names
    ):
        time.sleep(_POLL_SECONDS)
    taken: set[int] = set()
    ports: dict[str, int] = {}
    for name, paired in names.items():
        port = kept.get(name)
        if port is None or port in taken or not _usable(port, paired):
            port = _find(paired, taken)
        ports[name] = port
        taken |= {port, port + GRPC_OFFSET}
    return ports


def _usable(port: int, paired: bool) -> bool:
    return is_free(port) and (not paired or is_free(port + GRPC_OFFSET))


def _find(paired: bool, taken: set[int]) -> int:
    for _ in range(_TRIES):
        port = random.randint(_LOWEST, _HIGHEST)  # noqa: S311  (not a secret)
        if port not in taken and _usable(port, paired):
            return port
    raise EmbeddedStackError("No free loopback port was found between 14000 and 32000")
