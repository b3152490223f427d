"""Whether anything that was asked for can be done with a file. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from frameloom.common.documents import MediaFacts
from frameloom.common.text import cut
from frameloom.gateway.errors import MediaNotUsableError

_PICTURES = {"video", "image"}
_SOUND = "audio"


def require_usable(facts: MediaFacts, modalities: Mapping[str, Sequence[str]], filename: str) -> None:
    """Refuses media that none of the chosen pipelines can look at or listen to.

    Where one of them can, the others tell in their own results that they could not.

    Args:
        facts: What is in the file.
        modalities: Of each chosen pipeline; none: it does not tell, and is asked.
        filename: For the sentence.

    Raises:
        MediaNotUsableError: None can.
    """
    if any(_fits(facts, kinds) for kinds in modalities.values()):
        return
    has, lacks = ("only sound", "a picture") if facts.has_audio else ("only a picture", "sound")
    names = ", ".join(modalities)
    needed = f"{names} need{'s' if len(modalities) == 1 else ''} {lacks}"
    raise MediaNotUsableError(
        f"The file {cut(filename)} has {has} in it, and {needed}",
        hint="Choose other pipelines: GET /api/v1/pipelines/ tells the modalities of each.",
        detail={"has_video": facts.has_video, "has_audio": facts.has_audio, "pipelines": list(modalities)},
    )


def _fits(facts: MediaFacts, kinds: Sequence[str]) -> bool:
    if not kinds:
        return True
    wants_picture = not _PICTURES.isdisjoint(kinds)
    return (facts.has_video and wants_picture) or (facts.has_audio and _SOUND in kinds)
