"""What a slot's parent and child say to each other: JSON, each message preceded by its length.

A socket pair carries it, not the standard streams: libraries print there.
"""

from __future__ import annotations

import struct
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from frameloom.common.documents import FailureCategory, PipelineOffer, Segment
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


class Member(_Message):
    """One pipeline of a run."""

    id: str
    """What the replies call it: the id of its task."""
    pipeline: str
    config: dict[str, Any]


class Run(_Message):
    """Parent to child: run these pipelines over a file, which is decoded once for all of them."""

    kind: Literal["run"] = "run"
    members: tuple[Member, ...]
    path: str
    stem: str
    """The media file's name without extension, as the user knows it."""
    segment: Segment | None = None
    """The part of the file to go through; None: all of it."""
    stitch: bool = False
    """The path is a folder of segments that are done: they are joined, and nothing is decoded."""


class Drop(_Message):
    """Parent to child: a member of the run is not wanted any more; the others go on."""

    kind: Literal["drop"] = "drop"
    member: str


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
    member: str
    start_seconds: float
    end_seconds: float
    items: tuple[Item, ...]


class Progressed(_Message):
    """Child to parent: how far it is."""

    kind: Literal["progressed"] = "progressed"
    member: str
    progress: Progress


class Done(_Message):
    """Child to parent: the pipeline ran to its end."""

    kind: Literal["done"] = "done"
    member: str
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
    member: str
    category: FailureCategory
    message: str


class Dropped(_Message):
    """Child to parent: it does no more for this member."""

    kind: Literal["dropped"] = "dropped"
    member: str


Request = Describe | Run | Drop
Reply = Description | Warm | Chunk | Progressed | Done | Failed | Dropped
REQUEST: TypeAdapter[Request] = TypeAdapter(Annotated[Request, Field(discriminator="kind")])
REPLY: TypeAdapter[Reply] = TypeAdapter(Annotated[Reply, Field(discriminator="kind")])


def pack(message: _Message) -> bytes:
    """A message as it goes over the socket."""
    body = message.model_dump_json().encode()
    return LENGTH.pack(len(body)) + body
