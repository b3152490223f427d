"""What clients may call a pipeline: its name, ``<family>_<variant>``, or its family. Pure.

Case does not matter, nor do the signs between words. A family means its most stable member.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

from frameloom.common.pipelines import PipelineInfo

FAMILY_ORDER = ("stable", "beta", "experimental")
"""Whom of a family its name means: the first of these, and of several the first by name."""
_LONGEST = 200
_BETWEEN = re.compile(r"[^0-9a-z]+")


def normalised(name: str) -> str:
    """A name as it is compared: lower case, words joined by ``_``."""
    return _BETWEEN.sub("_", name.casefold()).strip("_")


class Names:
    """Leads from what a client wrote to a pipeline's name.

    Args:
        infos: The known pipelines, one of each name.
        runnable: Names of those that can run: a family means one of them, if it has any.
        also: Further entries of the same names, whose ``<family>_<variant>`` is understood too.
    """

    def __init__(
        self,
        infos: Iterable[PipelineInfo],
        runnable: Collection[str] = (),
        also: Iterable[PipelineInfo] = (),
    ) -> None:
        known = sorted(infos, key=lambda info: (info.name not in runnable, _stability(info), info.name))
        self._exact = {info.name for info in known}
        self._aliases: dict[str, str] = {}
        others = [info for info in also if info.name in self._exact]
        for level, entries in ((_own, known), (_variant, [*known, *others]), (_family, known)):
            for info in entries:
                if key := level(info):
                    self._aliases.setdefault(key, info.name)

    def resolve(self, name: str) -> str | None:
        """The pipeline that is meant; None: no such pipeline."""
        if len(name) > _LONGEST:
            return None
        name = name.strip()
        return name if name in self._exact else self._aliases.get(normalised(name))

    def aliases_of(self, name: str) -> Sequence[str]:
        """What else the pipeline may be called, in order of the alphabet."""
        own = normalised(name)
        return sorted(alias for alias, meant in self._aliases.items() if meant == name and alias != own)


def _stability(info: PipelineInfo) -> int:
    return FAMILY_ORDER.index(info.stability)


def _own(info: PipelineInfo) -> str:
    return normalised(info.name)


def _variant(info: PipelineInfo) -> str:
    return (
        normalised(f"{info.pipeline_family}_{info.variant}") if info.pipeline_family and info.variant else ""
    )


def _family(info: PipelineInfo) -> str:
    return normalised(info.pipeline_family or "")
