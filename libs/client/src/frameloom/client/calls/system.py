"""The server itself: its health, what it has done, how it is set up."""

from __future__ import annotations

from typing import Any
from urllib.parse import urljoin

from frameloom.client.answers import json_object, parse
from frameloom.client.models import SystemHealth, ViewerLink
from frameloom.client.transport import API, Calls, segment


class SystemCalls(Calls):
    """Calls about the server."""

    async def health(self, *, detailed: bool = False) -> dict[str, Any]:
        """The gateway's health; an unhealthy one's 503 is an answer here, not an error.

        Args:
            detailed: With its dependencies, and the other services.
        """
        params = {"detailed": "true"} if detailed else {}
        return json_object(await self._transport.send("GET", f"{API}/health", params=params, accept=(503,)))

    async def system_health(self) -> SystemHealth:
        """The whole server: machine, database, GPU, pipelines, workers, services."""
        return await self._transport.get(SystemHealth, f"{API}/system/health")

    async def metrics(self) -> dict[str, Any]:
        """Counts and times of the whole server."""
        return json_object(await self._transport.send("GET", f"{API}/system/metrics"))

    async def system_config(self) -> dict[str, Any]:
        """How the server is set up, as far as it tells."""
        return json_object(await self._transport.send("GET", f"{API}/system/config"))

    async def database(self) -> dict[str, Any]:
        """The server's database and what is in it."""
        return json_object(await self._transport.send("GET", f"{API}/system/database"))

    async def viewer_link(self) -> ViewerLink:
        """A link that connects one browser to the viewer of the server, once and within minutes.

        The browser gets a key of its own, which allows no more than the one that is sent here.

        Raises:
            NotFoundError: The server has no viewer.
        """
        found = parse(ViewerLink, await self._transport.send("POST", f"{API}/viewer/connect"))
        return found.model_copy(update={"url": urljoin(f"{self._transport.server}/", found.url.lstrip("/"))})


class AsyncDebug(Calls):
    """What the server tells its developers, where its operator has enabled it."""

    def __init__(self, client: Calls) -> None:
        self._transport = client._transport

    async def server_info(self) -> dict[str, Any]:
        """The processes of the server."""
        return await self._get("server-info")

    async def token_info(self) -> dict[str, Any]:
        """What the key that is sent allows."""
        return await self._get("token-info")

    async def pipelines(self) -> dict[str, Any]:
        """The pipelines as the workers have them."""
        return await self._get("pipelines")

    async def job(self, job_id: str) -> dict[str, Any]:
        """All that the server knows about a job."""
        return await self._get(f"jobs/{segment(job_id)}")

    async def request_log(self, *, limit: int = 50) -> dict[str, Any]:
        """The last requests.

        Args:
            limit: How many, 1 to 100.
        """
        return await self._get("request-log", limit=limit)

    async def background_jobs(self) -> dict[str, Any]:
        """What runs now."""
        return await self._get("background-jobs")

    async def _get(self, what: str, **params: Any) -> dict[str, Any]:
        return json_object(await self._transport.send("GET", f"{API}/debug/{what}", params=params))
