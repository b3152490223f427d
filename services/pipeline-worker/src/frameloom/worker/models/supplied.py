"""Models that no package has: the operator brings the file, and its digest is recorded once.

``frameloom models supply NAME FILE`` copies a file into the cache and writes its entry into ``supplied.json``
there. From then on it is a model like any other: checked by its sha256 and named in provenance. A folder that
was filled this way serves as a mirror for other workers.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from frameloom.worker.models.sources.checks import file_digest
from frameloom.worker.models.spec import ModelSpec, OperatorSource

logger = structlog.get_logger(__name__)

LIST_NAME = "supplied.json"
UPSTREAM = "supplied by the operator"

_Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
_FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]


class SuppliedModel(BaseModel):
    """One file that an operator brought."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: _Name
    file_name: _FileName
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    size_bytes: int = Field(ge=1)
    version: str = Field("operator", max_length=64)
    licence: str = Field("not stated", max_length=200)

    @property
    def spec(self) -> ModelSpec:
        """As the store knows it."""
        return ModelSpec(
            name=self.name,
            version=self.version,
            file_name=self.file_name,
            sha256=self.sha256,
            size_bytes=self.size_bytes,
            licence=self.licence,
            source=OperatorSource(UPSTREAM),
            optional=True,
        )


class SuppliedList(BaseModel):
    """The list in a folder."""

    model_config = ConfigDict(frozen=True)

    models: tuple[SuppliedModel, ...] = ()


def read(folders: Iterable[Path]) -> list[ModelSpec]:
    """What the lists in these folders name; of one name the first.

    A list that can not be read is passed over, with a line in the log.
    """
    found: dict[str, ModelSpec] = {}
    for folder in folders:
        try:
            listed = SuppliedList.model_validate_json((folder / LIST_NAME).read_bytes())
        except FileNotFoundError:
            continue
        except (OSError, ValidationError) as error:
            logger.warning("supplied_models_unreadable", file=str(folder / LIST_NAME), reason=str(error))
            continue
        for model in listed.models:
            found.setdefault(model.name, model.spec)
    return list(found.values())


def supply(folder: Path, file: Path, *, name: str, version: str, licence: str) -> SuppliedModel:
    """Copies a file into a cache or mirror and records it there; an earlier one of this name is replaced.

    Args:
        folder: The cache, or a folder that is to be a mirror.
        file: The operator's file.
        name: Which model it is.
        version: Of it, in the operator's words.
        licence: Likewise.

    Raises:
        ValueError: The name, the file's name or its length is none that can be recorded.
        OSError: A file can not be read or written.
    """
    model = SuppliedModel(
        name=name,
        file_name=file.name,
        sha256=file_digest(file),
        size_bytes=file.stat().st_size,
        version=version,
        licence=licence,
    )
    target = folder / model.spec.place
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        copied = Path(scratch) / model.file_name
        shutil.copyfile(file, copied)
        if file_digest(copied) != model.sha256:
            raise ValueError(f"{file} changed while it was copied")
        copied.chmod(0o644)
        copied.replace(target)
    _record(folder, model)
    return model


def _record(folder: Path, model: SuppliedModel) -> None:
    place = folder / LIST_NAME
    known = SuppliedList.model_validate_json(place.read_bytes()).models if place.exists() else ()
    kept = [entry for entry in known if entry.name != model.name]
    listed = SuppliedList(models=tuple(sorted([*kept, model], key=lambda entry: entry.name)))
    fresh = place.with_name(f".{LIST_NAME}.{os.getpid()}")
    fresh.write_text(listed.model_dump_json(indent=1) + "\n", "utf-8")
    fresh.replace(place)
