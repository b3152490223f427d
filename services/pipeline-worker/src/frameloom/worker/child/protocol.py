"""What a slot's parent and child say to each other: JSON, each message preceded by its length.

A socket pair carries it, not the standard streams: libraries print there.
"""

from __future__ import annotations

import struct
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from frameloom.common.documents import FailureCategory, PipelineOffer
from frameloom.common.documents.facts import CudaFacts, ModelFacts
from frameloom.common.pipelines import ArtefactSpec, Item, Progress

LENGTH = struct.Struct(">I")
MOST_BYTES = 16 * 1024 * 1024


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True)


class Describe(_Message):
    """Parent to child: which pipelines are there, and can they run here?"""

    kind: Literal["describe"] = "describe"
    extra_pipelines: tuple[str, ...] = ()


class Run(_Message):
    """Parent to child: run a pipeline over a file."""

    kind: Literal["run"] = "run"
    pipeline: str
    config: dict[str, Any]
    path: str
    stem: str
    """The media file's name without extension, as the user knows it."""


class Description(_Message):
    """Child to parent: the pipelines that are installed."""

    kind: Literal["description"] = "description"
    offers: tuple[PipelineOffer, ...]
    versions: dict[str, str] = {}
    """Of what only the child has imported: FFmpeg inside PyAV."""


class Warm(_Message):
    """Child to parent: what it keeps between tasks. Told when that has changed, and before every end."""

    kind: Literal["warm"] = "warm"
    pipelines: tuple[str, ...]
    models: tuple[ModelFacts, ...]
    cuda: CudaFacts | None = None


class Chunk(_Message):
    """Child to parent: some annotations, and the media time that they cover."""

    kind: Literal["chunk"] = "chunk"
    start_seconds: float
    end_seconds: float
    items: tuple[Item, ...]


class Progressed(_Message):
    """Child to parent: how far it is."""

    kind: Literal["progressed"] = "progressed"
    progress: Progress


class Done(_Message):
    """Child to parent: the pipeline ran to its end."""

    kind: Literal["done"] = "done"
    frames: int
    media_seconds: float
    decoder: str
    models: dict[str, str]
    pipeline_version: str
    config: dict[str, Any]
    """The configuration in force, defaults filled in."""
    artefacts: tuple[ArtefactSpec, ...]


class Failed(_Message):
    """Child to parent: the pipeline could not go on."""

    kind: Literal["failed"] = "failed"
    category: FailureCategory
    message: str


Request = Annotated[Describe | Run, Field(discriminator="kind")]
Reply = Annotated[Description | Warm | Chunk | Progressed | Done | Failed, Field(discriminator="kind")]
REQUEST: TypeAdapter[Describe | Run] = TypeAdapter(Request)
REPLY: TypeAdapter[Description | Warm | Chunk | Progressed | Done | Failed] = TypeAdapter(Reply)


def pack(message: _Message) -> bytes:
    """A message as it goes over the socket."""
    body = message.model_dump_json().encode()
    return LENGTH.pack(len(body)) + body
