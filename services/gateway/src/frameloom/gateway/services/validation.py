"""Whether a configuration would be accepted: for one pipeline, for a job, and for a job that is submitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from frameloom.common.text import cut
from frameloom.gateway.services.catalogue import Catalogue, Entry, Known
from frameloom.gateway.services.checking import MAX_ITEMS, Problem, Remark
from frameloom.gateway.services.configuration import (
    Config,
    Verdict,
    judge,
    named_by,
    parse,
    require_storable,
)

_KEPT_WARNINGS = 20


@dataclass(frozen=True, slots=True)
class Order:
    """What a submission asks for, checked.

    Attributes:
        pipelines: Their names.
        requested: What the client called them.
        config: What the pipelines will be given.
        warnings: What was noticed and did not keep it from being accepted.
        modalities: By name, what each pipeline can look at; empty: anything.
    """

    pipelines: tuple[str, ...]
    requested: tuple[str, ...]
    config: Config
    warnings: tuple[dict[str, Any], ...]
    modalities: Mapping[str, tuple[str, ...]]


class ValidationService:
    """Judges configurations by the schemas of the pipelines that are known now."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    async def of_pipeline(self, name: str, config: Config) -> Verdict:
        """A configuration of one pipeline; a section of its name counts as in a job.

        Raises:
            PipelineNotFoundError: There is no such pipeline.
            InvalidRequestError: No database could store it.
        """
        require_storable(config)
        known = await self._catalogue.known()
        return _with_states(judge(config, [known.entry(name).info], known.names), known)

    async def of_job(self, config: Config, selected: Sequence[str]) -> Verdict:
        """A job's configuration.

        Args:
            config: As a submission has it.
            selected: Names of pipelines. None: those that have a section, else what a submission that
                names none would run.

        Raises:
            InvalidRequestError: No database could store it.
        """
        require_storable(config)
        known = await self._catalogue.known()
        named = [name for name in (name.strip() for name in selected) if name]
        meant = {name: known.names.resolve(name) for name in named or named_by(config, known.names)}
        wanted = [known.entries[name] for name in dict.fromkeys(meant.values()) if name is not None]
        if not meant:
            wanted = known.defaults()
        verdict = _with_states(judge(config, [entry.info for entry in wanted], known.names), known)
        unknown = tuple(_unknown(name, known) for name, found in meant.items() if found is None)
        names = dict.fromkeys(meant[name] or name for name in meant)
        return Verdict(
            config=verdict.config,
            pipelines=tuple(names) or verdict.pipelines,
            errors=(*unknown, *verdict.errors)[:MAX_ITEMS],
            warnings=verdict.warnings,
        )

    async def order(self, selected: str | None, config: str | None) -> Order:
        """The fields of a submission: a comma list of names, and a configuration as JSON text.

        Raises:
            InvalidRequestError: The configuration is no JSON object, or can not be stored.
            UnknownPipelineError: A pipeline is not known.
            PipelineUnavailableError: One can not be run.
            InvalidConfigError: The configuration does not fit.
        """
        parsed = parse(config)
        named = tuple(name for name in (item.strip() for item in (selected or "").split(",")) if name)
        known, entries = await self._catalogue.chosen(named)
        verdict = judge(parsed, [entry.info for entry in entries], known.names)
        verdict.require_valid()
        return Order(
            pipelines=verdict.pipelines,
            requested=named,
            config=verdict.config,
            warnings=tuple(warning.item() for warning in verdict.warnings[:_KEPT_WARNINGS]),
            modalities={entry.name: entry.info.modalities for entry in entries},
        )


def _with_states(verdict: Verdict, known: Known) -> Verdict:
    """A valid configuration is not all: the pipeline must be there too. That is a warning here."""
    told = [
        _state(entry) for entry in (known.entries[name] for name in verdict.pipelines) if not entry.enabled
    ]
    return Verdict(verdict.config, verdict.pipelines, verdict.errors, (*told, *verdict.warnings))


def _state(entry: Entry) -> Remark:
    if entry.usable:
        message = f"A job for {entry.name} would wait: {entry.reason}"
        return Remark(
            "pipeline", message, "Submit it all the same, or start a worker that runs it", entry.name
        )
    message = f"A job for {entry.name} would be refused: {entry.reason}"
    return Remark("pipeline", message, "GET /api/v1/pipelines/ tells what can run", entry.name)


def _unknown(name: str, known: Known) -> Problem:
    hint = f"Available pipelines: {', '.join(known.entries)}"
    return Problem("pipeline", f"Unknown pipeline '{cut(name)}'", "PIPELINE_NOT_FOUND", hint, cut(name))
