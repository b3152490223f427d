"""Pipelines whose weights no package has: off, with the reason, until the operator brings the files."""

from __future__ import annotations

from typing import ClassVar

from frameloom.common.documents.task import FailureCategory
from frameloom.worker.models.spec import ModelUnavailableError
from frameloom.worker.models.store import ModelStore
from frameloom.worker.pipelines.base import Pipeline


class SuppliedModels(Pipeline):
    """Mixin, before the pipeline's own base class.

    Attributes:
        brought: What each file in ``required_models`` is that the operator has to bring: its name, and a few
            words with where it is found.
    """

    brought: ClassVar[dict[str, str]] = {}

    @classmethod
    def available(cls, models: ModelStore) -> tuple[bool, str | None]:
        """Names the first file that is missing, what it is, and how to bring it."""
        for name, words in cls.brought.items():
            if name in cls.required_models and not listed(models, name):
                return False, why_missing(name, words)
        return super().available(models)


def listed(models: ModelStore, name: str) -> bool:
    """Whether the store knows a file of this name."""
    return any(spec.name == name for spec in models.specs)


def why_missing(name: str, words: str) -> str:
    """The sentence for users and operators."""
    return (
        f"The weights {name} ({words}) are in no package: the operator has to bring them, by "
        f"`frameloom models supply {name} FILE` on the worker."
    )


def unfit(name: str, fault: str) -> ModelUnavailableError:
    """The error for a file that is there and is not what the pipeline's page describes."""
    return ModelUnavailableError(
        FailureCategory.PROVIDER_TERMINAL,
        f"The file that the operator supplied as {name} does not fit: {fault}.",
    )
