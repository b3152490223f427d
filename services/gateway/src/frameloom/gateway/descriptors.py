"""How many files and sockets this process may have open: each event stream is one."""

from __future__ import annotations

import structlog

try:
    import resource
except ImportError:  # not on every platform; those have no such limit
    resource = None  # type: ignore[assignment]

_BESIDE = 512
"""For connections to the servers, uploads, downloads and log files."""
log = structlog.get_logger(__name__)


def allow_descriptors(streams: int) -> None:
    """Raises the soft limit, as far as the hard one lets us, and says so where that is not enough."""
    if resource is None:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = streams + _BESIDE
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < wanted:
        log.warning(
            "fewer open files are allowed than streams are",
            allowed=allowed,
            wanted=wanted,
            hint="Raise the limit (ulimit -Hn, LimitNOFILE), or lower FRAMELOOM_GATEWAY_MAX_STREAMS.",
        )
