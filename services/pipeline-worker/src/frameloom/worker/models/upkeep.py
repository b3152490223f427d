"""What the command line asks of the model store: who needs which file, what is here, what is damaged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from frameloom.worker.models.sources.checks import file_digest
from frameloom.worker.models.spec import ModelSpec
from frameloom.worker.models.store import ModelStore

if TYPE_CHECKING:
    from frameloom.worker.pipelines.base import Pipeline

State = Literal["ok", "damaged", "missing"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of ``models list``.

    Attributes:
        name: Key in the store.
        version: Of the model.
        kind: ``model`` or ``sample``.
        licence: SPDX expression, or words.
        source: The package that brings it; ``operator`` where none does.
        size_bytes: Length of the file.
        sha256: The pinned digest.
        pipelines: Who can not run without it.
        pipelines_by_choice: Who uses it in other than its default configuration.
        cached: It is in the cache, whole by its length.
        path: Where it is, or would be.
    """

    name: str
    version: str
    kind: str
    licence: str
    source: str
    size_bytes: int
    sha256: str
    pipelines: tuple[str, ...]
    pipelines_by_choice: tuple[str, ...]
    cached: bool
    path: str

    def document(self) -> dict[str, Any]:
        """As ``--json`` shows it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Check:
    """A line of ``models verify``.

    Attributes:
        name: Key in the store.
        state: Whether the file has its pinned digest.
        path: Where it is, or would be.
        found_sha256: What a damaged file has instead.
    """

    name: str
    state: State
    path: str
    found_sha256: str | None = None

    @property
    def advice(self) -> str | None:
        """What to do about it."""
        if self.state == "ok":
            return None
        again = "--again " if self.state == "damaged" else ""
        return f"frameloom models pull {again}{self.name}"

    def document(self) -> dict[str, Any]:
        """As ``--json`` shows it."""
        return {**asdict(self), "advice": self.advice}


def with_plug_ins(store: ModelStore, pipelines: Iterable[type[Pipeline]]) -> Iterator[str]:
    """Makes the files known that pipelines bring themselves.

    Yields:
        A sentence for each pipeline whose files can not be taken.
    """
    for pipeline in pipelines:
        try:
            store.register(*pipeline.own_models)
        except ValueError as error:
            yield f"{pipeline.info.name}: {error}"


def entries(store: ModelStore, pipelines: Mapping[str, type[Pipeline]]) -> list[Entry]:
    """Everything that the store knows, in the order of its catalogue."""
    needed = {name: set(pipeline.required_models) for name, pipeline in pipelines.items()}
    chosen = {name: set(pipeline.optional_models) for name, pipeline in pipelines.items()}
    return [
        Entry(
            name=spec.name,
            version=spec.version,
            kind=spec.kind,
            licence=spec.licence,
            source=spec.source.origin,
            size_bytes=spec.size_bytes,
            sha256=spec.sha256,
            pipelines=_users(needed, spec.name),
            pipelines_by_choice=_users(chosen, spec.name),
            cached=store.has(spec.name),
            path=str(place(store, spec)),
        )
        for spec in store.specs
    ]


def verified(store: ModelStore, names: Sequence[str] = ()) -> Iterator[Check]:
    """Reads files and compares their digests: all that are here, or those that are named.

    Raises:
        ModelUnavailableError: A name is not known.
    """
    for spec in [store.spec(name) for name in names] or store.specs:
        path = place(store, spec)
        if not path.exists():
            if names:
                yield Check(spec.name, "missing", str(path))
            continue
        digest = file_digest(path)
        if digest == spec.sha256:
            yield Check(spec.name, "ok", str(path))
        else:
            yield Check(spec.name, "damaged", str(path), digest)


def forget(store: ModelStore, names: Iterable[str]) -> None:
    """Removes files from the cache, so that they are fetched again."""
    for name in names:
        place(store, store.spec(name)).unlink(missing_ok=True)


def place(store: ModelStore, spec: ModelSpec) -> Path:
    """Where the file of an entry lies in the cache."""
    return store.directory / spec.place


def _users(wanted: Mapping[str, set[str]], model: str) -> tuple[str, ...]:
    return tuple(sorted(name for name, models in wanted.items() if model in models))
