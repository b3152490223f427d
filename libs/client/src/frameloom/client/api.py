"""The gateway's REST API, asynchronous. :mod:`frameloom.client.sync` has the same for plain code.

Every method raises the errors of :mod:`frameloom.client.errors` and no other for expected faults.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from frameloom.client import __version__
from frameloom.client.answers import check, translate
from frameloom.client.errors import ServerError, UsageError
from frameloom.client.models import Job, JobPage, JobResults, Pipeline, PipelineList
from frameloom.client.upload import CountingFile

_Model = TypeVar("_Model", bound=BaseModel)
_API = "/api/v1"
_TIMEOUT = httpx.Timeout(30.0, connect=5.0)
_UPLOAD_TIMEOUT = httpx.Timeout(60.0, connect=5.0, read=300.0)
"""Writing may stall a minute; after the last byte the server may check the file for longer."""

OnBytes = Callable[[int], None]
"""Told the number of bytes that have passed so far."""


class AsyncClient:
    """A connection to one gateway; use it as an asynchronous context manager.

    Args:
        server: Its address, ``http://127.0.0.1:18011`` for example.
        api_key: Sent as a bearer token, if given.

    Raises:
        UsageError: ``server`` is no http or https address.
    """

    def __init__(self, server: str, *, api_key: str | None = None) -> None:
        self.server = server_address(server)
        headers = {"User-Agent": f"frameloom/{__version__}", "Accept": "application/json"}
        if api_key:
            headers["Authorization"] = f"Bearer {api_key}"
        self._http = httpx.AsyncClient(
            base_url=self.server,
            headers=headers,
            timeout=_TIMEOUT,
            follow_redirects=True,
            # A proxy from the environment can not reach this machine's own loopback.
            trust_env=not _is_loopback(self.server),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def health(self, *, detailed: bool = False) -> dict[str, Any]:
        """The server's health; an unhealthy server's 503 is an answer here, not an error."""
        params = {"detailed": "true"} if detailed else {}
        response = await self._send("GET", f"{_API}/health", params=params, accept=(503,))
        return _json_object(response)

    async def pipelines(self) -> tuple[Pipeline, ...]:
        """What the server can run."""
        return (await self._get(PipelineList, f"{_API}/pipelines/")).pipelines

    async def submit(
        self,
        video: Path,
        *,
        pipelines: Sequence[str] = (),
        config: Mapping[str, Any] | None = None,
        on_bytes: OnBytes | None = None,
    ) -> Job:
        """Uploads a media file, streamed from disk, and asks for its annotation.

        Args:
            video: The file. Only its name is told to the server, not its folder.
            pipelines: Names of pipelines; none means the server's default.
            config: Settings by pipeline.
            on_bytes: Called with the number of bytes sent so far.

        Raises:
            UsageError: The file can not be read.
        """
        form: dict[str, str] = {}
        if pipelines:
            form["selected_pipelines"] = ",".join(pipelines)
        if config:
            form["config"] = json.dumps(config)
        try:
            with CountingFile(video, on_bytes) as body:
                # The fields go before the file, so that a server can refuse them without reading it.
                response = await self._send(
                    "POST",
                    f"{_API}/jobs/",
                    data=form,
                    files={"video": (_sendable(video.name), body, "application/octet-stream")},
                    timeout=_UPLOAD_TIMEOUT,
                )
        except OSError as error:
            raise UsageError(f"{video} can not be read: {error.strerror or error}") from error
        return _parse(Job, response)

    async def job(self, job_id: str) -> Job:
        """One job."""
        return await self._get(Job, f"{_API}/jobs/{quote(job_id, safe='')}")

    async def jobs(self, *, page: int = 1, per_page: int = 10, status: str | None = None) -> JobPage:
        """A page of the list of jobs, as the server orders it."""
        params: dict[str, str | int] = {"page": page, "per_page": per_page}
        if status:
            params["status_filter"] = status
        return await self._get(JobPage, f"{_API}/jobs/", params=params)

    async def cancel(self, job_id: str) -> Job:
        """Cancels a job; one that is already cancelled stays so."""
        response = await self._send("POST", f"{_API}/jobs/{quote(job_id, safe='')}/cancel")
        return _parse(Job, response)

    async def results(self, job_id: str) -> JobResults:
        """The results of a job, in whatever state it is."""
        return await self._get(JobResults, f"{_API}/jobs/{quote(job_id, safe='')}/results")

    def file_path(self, job_id: str, pipeline: str) -> str:
        """Where the files of a pipeline's result are, below the server's address."""
        return f"{_API}/jobs/{quote(job_id, safe='')}/results/files/{quote(pipeline, safe='')}"

    @asynccontextmanager
    async def stream(self, path: str, **options: Any) -> AsyncGenerator[httpx.Response]:
        """A GET whose body is read piece by piece: downloads and events.

        Raises:
            ClientError: The server did not answer, refused, or broke off while the body was read.
        """
        try:
            async with self._http.stream("GET", path, **options) as response:
                if not response.is_success:
                    await response.aread()
                    check(response)
                yield response
        except httpx.HTTPError as error:
            raise translate(error, self.server) from error

    async def _get(self, model: type[_Model], path: str, **options: Any) -> _Model:
        return _parse(model, await self._send("GET", path, **options))

    async def _send(
        self, method: str, path: str, *, accept: Sequence[int] = (), **options: Any
    ) -> httpx.Response:
        try:
            response = await self._http.request(method, path, **options)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise translate(error, self.server) from error
        if response.status_code not in accept:
            check(response)
        return response


def server_address(text: str) -> str:
    """The address without a trailing slash; a bare ``host:port`` is taken as http.

    Raises:
        UsageError: It is no http or https address.
    """
    address = text.strip()
    if "://" not in address:
        address = f"http://{address}"
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL as error:
        raise UsageError(f"{text!r} is no server address: {error}", hint=_ADDRESS_HINT) from error
    if url.scheme not in {"http", "https"} or not url.host:
        raise UsageError(f"{text!r} is no server address", hint=_ADDRESS_HINT)
    return address.rstrip("/")


def _sendable(name: str) -> str:
    """A file name that is not valid text on this system still makes a header."""
    return name.encode("utf-8", "replace").decode()


_ADDRESS_HINT = "Give it as http://HOST:PORT"


def _is_loopback(server: str) -> bool:
    host = httpx.URL(server).host
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _parse(model: type[_Model], response: httpx.Response) -> _Model:
    try:
        return model.model_validate_json(response.content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the body"
        raise ServerError(
            f"The server's answer to {response.request.url.path} can not be understood: "
            f"{place}: {first['msg']}",
            hint="Is this the address of a Frameloom gateway? `frameloom doctor` tells",
            status=response.status_code,
        ) from error


def _json_object(response: httpx.Response) -> dict[str, Any]:
    try:
        document = response.json()
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise ServerError(
            f"The server's answer to {response.request.url.path} is no JSON object",
            hint="Is this the address of a Frameloom gateway?",
            status=response.status_code,
        )
    return document
