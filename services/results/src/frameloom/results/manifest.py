"""The manifest of a result."""

from __future__ import annotations

from pydantic import BaseModel

from frameloom.common.documents import Artefact
from frameloom.common.events import Provenance


class Manifest(BaseModel):
    """Lists the files of a result with sizes and digests: whoever has it can check that all is there."""

    job_id: str
    task_id: str
    pipeline: str
    epoch: int
    artefacts: tuple[Artefact, ...]
    provenance: Provenance
