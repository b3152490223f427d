"""The files of the built-in pipelines, and real clips for the demo and the tests: one module a subject.

None of these weights can be fetched from a model hub without an account or at all times; all of them
are inside published packages. The digests were taken from the named versions.
"""

from __future__ import annotations

from frameloom.worker.models.catalogue import faces, persons, scenes, sounds, speech, texts
from frameloom.worker.models.catalogue.faces import SFACE, YUNET
from frameloom.worker.models.catalogue.samples import SAMPLES
from frameloom.worker.models.catalogue.scenes import TRANSNETV2
from frameloom.worker.models.spec import ModelSpec

__all__ = ["CATALOGUE", "MODELS", "SAMPLES", "SFACE", "TRANSNETV2", "YUNET"]

MODELS: tuple[ModelSpec, ...] = (
    *faces.MODELS,
    *persons.MODELS,
    *scenes.MODELS,
    *speech.MODELS,
    *sounds.MODELS,
    *texts.MODELS,
)

CATALOGUE: tuple[ModelSpec, ...] = MODELS + SAMPLES
