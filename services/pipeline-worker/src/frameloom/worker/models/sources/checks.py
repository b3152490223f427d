"""The last step of every download: the digest decides."""

from __future__ import annotations

import hashlib
from pathlib import Path

from frameloom.common.documents.task import FailureCategory
from frameloom.worker.models.spec import ModelSpec, ModelUnavailableError


def file_digest(path: Path) -> str:
    """sha256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def checked(spec: ModelSpec, path: Path, origin: str) -> Path:
    """The same path, if the file is the one that was pinned.

    Raises:
        ModelUnavailableError: It is another one.
    """
    if file_digest(path) != spec.sha256:
        raise ModelUnavailableError(
            FailureCategory.PROVIDER_TERMINAL,
            f"The file of the model {spec.name} from {origin} is not the one that was pinned "
            "(its sha256 differs), so it is not used.",
        )
    return path


def absent(spec: ModelSpec, origin: str) -> ModelUnavailableError:
    """The error for a package that does not hold a file."""
    return ModelUnavailableError(
        FailureCategory.PROVIDER_TERMINAL,
        f"The package {origin} does not hold the file of the model {spec.name}.",
    )
