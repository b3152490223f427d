"""Making a job: of a form with its upload, or of an upload that has been admitted already."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import structlog

from frameloom.common.clock import Clock, new_id
from frameloom.common.documents import JobDocument
from frameloom.common.errors import TransientError
from frameloom.common.machines.job import Submission, submit
from frameloom.common.ports.stores import JobStore
from frameloom.common.relay import JobRelay
from frameloom.gateway.errors import (
    InvalidRequestError,
    PayloadTooLargeError,
    RequestInvalidError,
    UrlIngestionDisabledError,
)
from frameloom.gateway.ingest.fetching import UrlFetcher
from frameloom.gateway.services.caller import Caller
from frameloom.gateway.services.gate import Admitted, MediaGate, Quarantined
from frameloom.gateway.services.quotas import Allowance, Quotas
from frameloom.gateway.services.tally import Tally
from frameloom.gateway.services.usability import require_usable
from frameloom.gateway.services.validation import Order, ValidationService

log = structlog.get_logger(__name__)
_VIDEO = "video"
_VIDEO_URL = "video_url"


@dataclass(frozen=True, slots=True)
class TextPart:
    """A form field."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class FilePart:
    """A file of the form; its bytes must be read before the next part is asked for."""

    name: str
    filename: str | None
    chunks: AsyncIterator[bytes]


class SubmissionService:
    """Turns forms and admitted uploads into jobs. What is refused leaves nothing in the bucket."""

    def __init__(
        self,
        jobs: JobStore,
        tally: Tally,
        gate: MediaGate,
        validation: ValidationService,
        relay: JobRelay,
        clock: Clock,
        quotas: Quotas,
        fetcher: UrlFetcher | None = None,
    ) -> None:
        self._quotas = quotas
        self._jobs = jobs
        self._tally = tally
        self._gate = gate
        self._validation = validation
        self._relay = relay
        self._clock = clock
        self._fetcher = fetcher

    async def submit(self, caller: Caller, parts: AsyncIterator[TextPart | FilePart]) -> JobDocument:
        """Takes in the form's file and makes the job, in whatever order the parts come.

        Raises:
            FrameloomError: The job is refused, or a dependency is away. Nothing of it is left in the bucket.
        """
        async with self._quotas.admitted(caller) as allowance:
            admitted, fields = await self._taken(caller, parts, allowance)
            return await self.accept(caller, admitted, fields)

    async def accept(self, caller: Caller, admitted: Admitted, fields: Mapping[str, str]) -> JobDocument:
        """Makes the job of an upload that the gate has let through.

        Args:
            caller: Whose job it will be.
            admitted: The upload; the job gets the id that it was taken in for.
            fields: ``selected_pipelines`` and ``config``, as in the form.

        Raises:
            FrameloomError: The fields do not fit, or a dependency is away. The media are removed.
        """
        try:
            order = await self._checked(fields)
            require_usable(admitted.facts, order.modalities, admitted.media.filename)
            submission = Submission(
                job_id=admitted.job_id,
                tenant=caller.tenant,
                media=admitted.media,
                pipelines=order.pipelines,
                config=order.config,
                requested=order.requested,
                warnings=order.warnings,
                facts=admitted.facts,
                key_id=caller.account,
            )
            job = submit(submission, self._clock.now())
            await self._insert(job)
        except BaseException:
            await asyncio.shield(self._gate.discard(admitted.job_id))
            raise
        self._tally.wrote(job)
        self._quotas.accepted(job)
        self._relay.offer(job)
        noticed = [warning["message"] for warning in order.warnings]
        log.info(
            "job accepted",
            job=job.id,
            pipelines=list(order.pipelines),
            size_bytes=job.media.size_bytes,
            **({"warnings": noticed} if noticed else {}),
        )
        return job

    async def check(self, fields: Mapping[str, str]) -> None:
        """Tells what is wrong with the fields before any byte is sent.

        Raises:
            FrameloomError: As :meth:`accept` would, as far as it does not depend on the file.
        """
        await self._checked(fields)

    async def _taken(
        self, caller: Caller, parts: AsyncIterator[TextPart | FilePart], allowance: Allowance
    ) -> tuple[Admitted, dict[str, str]]:
        """The form, its file examined and stored."""
        admitted: Admitted | None = None
        fields: dict[str, str] = {}
        try:
            async for part in parts:
                if isinstance(part, TextPart):
                    fields[part.name] = part.text
                    continue
                _require_only(part, admitted, fields)
                if "selected_pipelines" in fields:
                    await self._checked(fields)  # before gigabytes are sent in vain
                admitted = await self._admitted(caller, part, allowance)
            if admitted is None:
                return await self._fetched(caller, fields, allowance), fields
            _require_no_url(fields)
        except BaseException:
            if admitted is not None:
                await asyncio.shield(self._gate.discard(admitted.job_id))
            raise
        return admitted, fields

    async def _fetched(self, caller: Caller, fields: Mapping[str, str], allowance: Allowance) -> Admitted:
        """The file at the address that the form names instead of bringing one."""
        if not (url := _url(fields)):
            raise RequestInvalidError.missing("body", _VIDEO)
        if self._fetcher is None:
            raise UrlIngestionDisabledError
        self._fetcher.check(url)
        await self._checked(fields)
        async with self._gate.place(caller):
            async with self._fetcher.opened(url) as found:
                received = await self._received(found.filename, found.chunks, allowance)
            return await self._gate.admit(received)

    async def _received(
        self, filename: str | None, chunks: AsyncIterator[bytes], allowance: Allowance
    ) -> Quarantined:
        try:
            return await self._gate.receive(new_id(), filename, chunks, allowance.bytes_left)
        except PayloadTooLargeError as error:
            raise allowance.explained(error) from error

    async def _admitted(self, caller: Caller, part: FilePart, allowance: Allowance) -> Admitted:
        async with self._gate.place(caller):
            return await self._gate.admit(await self._received(part.filename, part.chunks, allowance))

    async def _checked(self, fields: Mapping[str, str]) -> Order:
        return await self._validation.order(fields.get("selected_pipelines"), fields.get("config"))

    async def _insert(self, job: JobDocument) -> None:
        try:
            await self._jobs.insert(job)
        except TransientError:
            # The answer may be lost and the job stored: then it is accepted, whatever we heard.
            if await self._jobs.get(job.id) is None:
                raise


def _require_only(part: FilePart, before: Admitted | None, fields: Mapping[str, str]) -> None:
    if before is not None:
        raise InvalidRequestError(
            f"The form has more than one {part.name} part",
            hint="A job has one video: send one part, and a job of its own for each further file.",
        )
    _require_no_url(fields)


def _url(fields: Mapping[str, str]) -> str:
    return fields.get(_VIDEO_URL, "").strip()


def _require_no_url(fields: Mapping[str, str]) -> None:
    if _url(fields):
        raise InvalidRequestError(
            "The form has a file and an address of one", hint="Send either the part video or video_url."
        )
