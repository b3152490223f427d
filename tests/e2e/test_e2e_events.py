"""Live events over real servers: gateways that come and go, clients that dawdle, and the WebSocket."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from frameloom.client.api import AsyncClient
from frameloom.client.models import JobEvent
from support.deployment import Deployment
from support.grounds import Ground
from support.lives import Lives

STREAM = "/api/v1/events/stream"
WAIT = 60.0


async def answering(deployment: Deployment, *gateways: str) -> None:
    """Waits until gateways answer."""
    async with asyncio.timeout(WAIT):
        for name in gateways:
            while True:
                try:
                    async with deployment.http.get(f"{deployment.url_of(name)}/api/v1/health") as answer:
                        if answer.status == 200:
                            break
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.05)


class Listener:
    """Reads a stream in the background.

    Attributes:
        blocks: Its messages, as named lines.
    """

    def __init__(self) -> None:
        self.blocks: list[dict[str, str]] = []
        self._news = asyncio.Event()
        self._over = False

    @property
    def ids(self) -> list[str]:
        """The ids that came."""
        return [block["id"] for block in self.blocks if "id" in block]

    @classmethod
    @asynccontextmanager
    async def on(
        cls, deployment: Deployment, query: str, gateway: str = "gateway", last: str | None = None
    ) -> AsyncIterator[Listener]:
        """One that has been told ``connected``, or refused."""
        made = cls()
        url = f"{deployment.url_of(gateway)}{STREAM}?{query}"
        headers = {"Last-Event-ID": last} if last else {}
        timeout = aiohttp.ClientTimeout(total=None)
        async with deployment.http.get(url, headers=headers, timeout=timeout) as answer:
            assert answer.status == 200, await answer.text()
            reading = asyncio.create_task(made._read(answer))
            try:
                await made.until(lambda: len(made.blocks) > 1)
                yield made
            finally:
                reading.cancel()
                await asyncio.wait([reading])

    async def until(self, condition: Any, seconds: float = WAIT) -> None:
        """Waits until something is so of what came, or the stream has ended."""
        async with asyncio.timeout(seconds):
            while not condition() and not self._over:
                self._news.clear()
                await self._news.wait()
        assert condition(), self.blocks[-3:]

    async def over(self) -> None:
        """Waits for the end of the stream."""
        await self.until(lambda: self._over)

    async def _read(self, answer: aiohttp.ClientResponse) -> None:
        block: dict[str, str] = {}
        try:
            async for raw in answer.content:
                line = raw.decode().rstrip("\n")
                if line:
                    name, _, value = line.partition(": ")
                    block[name] = value
                elif block:
                    self.blocks.append(block)
                    block = {}
                    self._news.set()
        except aiohttp.ClientError:
            pass  # the gateway was killed
        finally:
            self._over = True
            self._news.set()


async def test_a_client_goes_over_to_another_gateway_and_misses_nothing(deployment: Deployment) -> None:
    await deployment.start("gateway", "gateway-2")
    await answering(deployment, "gateway", "gateway-2")
    async with Lives.on(deployment) as lives:
        life, other = await lives.begin(), await lives.begin()
        async with (
            Listener.on(deployment, f"job_id={life.id}") as first,
            Listener.on(deployment, "format=events") as wide,
        ):
            await life.grow(4)
            await other.grow(3)
            await first.until(lambda: first.ids == life.ids)
            await wide.until(lambda: {life.ids[-1], other.ids[-1]} <= set(wide.ids))
            await deployment.kill("gateway")
            await first.over()
            await wide.over()
        await life.grow(3)
        await other.grow(2)
        async with (
            Listener.on(deployment, f"job_id={life.id}", "gateway-2", first.ids[-1]) as second,
            Listener.on(deployment, "format=events", "gateway-2", wide.ids[-1]) as wide_again,
        ):
            await life.grow(2)
            await second.until(lambda: first.ids + second.ids == life.ids)
            heard = set(wide.ids)
            await wide_again.until(lambda: {*life.ids[4:], *other.ids[3:]} <= {*heard, *wide_again.ids})
            for one in (life, other):
                again = [name for name in wide_again.ids if name.startswith(one.id)]
                assert again == sorted(set(again), key=one.ids.index)  # in order, each once
            # And back to the first one, when it is there again.
            await deployment.start("gateway")
            await answering(deployment, "gateway")
            last = second.ids[-1]
        await life.end()
        query = f"job_id={life.id}&close_on_end=true"
        async with Listener.on(deployment, query, "gateway", last) as third:
            await third.over()
        assert first.ids + second.ids + third.ids == life.ids
        assert third.blocks[-1]["event"] == "job.complete"


async def test_the_python_client_follows_through_restarts(deployment: Deployment) -> None:
    await deployment.start("gateway")
    await answering(deployment, "gateway")
    async with (
        Lives.on(deployment) as lives,
        AsyncClient(deployment.base_url, api_key=deployment.api_key) as client,
    ):
        life = await lives.begin()
        heard: list[int | None] = []
        enough = asyncio.Condition()

        async def follow() -> None:
            async for item in client.events(life.id):
                assert isinstance(item, JobEvent)
                async with enough:
                    heard.append(item.seq)
                    enough.notify_all()

        following = asyncio.create_task(follow())
        for stop in (lambda: deployment.stop("gateway"), lambda: deployment.kill("gateway")):
            await life.grow(3)
            async with asyncio.timeout(WAIT), enough:
                await enough.wait_for(lambda: len(heard) >= life.job.seq - 1)
            await stop()
            await life.grow(3)
            await deployment.start("gateway")
            await answering(deployment, "gateway")
        await life.end()
        async with asyncio.timeout(WAIT):
            await following
        assert heard == list(range(1, life.job.seq + 1))


async def test_who_watches_a_job_hears_of_its_deletion(deployment: Deployment) -> None:
    await deployment.start("gateway")
    await answering(deployment, "gateway")
    async with Lives.on(deployment) as lives:
        life = await lives.begin()
        await life.grow(2)
        query = f"job_id={life.id}&close_on_end=true"
        async with Listener.on(deployment, query) as one, Listener.on(deployment, "") as wide:
            async with deployment.http.delete(f"{deployment.base_url}/api/v1/jobs/{life.id}") as answer:
                assert answer.status == 204
            await one.over()
            await wide.until(lambda: wide.blocks[-1].get("event") == "job.deleted")
        assert one.ids == [*life.ids, f"{life.id}:{life.job.seq + 1}"]
        assert one.blocks[-1]["event"] == "job.deleted"
        assert json.loads(one.blocks[-1]["data"])["cause"] == "request"
        async with deployment.http.get(f"{deployment.base_url}{STREAM}?{query}") as answer:
            assert answer.status == 404


@pytest.fixture
async def narrow(ground: Ground, tmp_path: Path) -> AsyncIterator[Deployment]:
    """A deployment whose gateway lets few events wait for a client."""
    made = Deployment(ground, tmp_path, {"FRAMELOOM_GATEWAY_STREAM_QUEUE": "16"})
    try:
        yield made
    finally:
        await made.close()


async def test_a_client_that_does_not_read_is_told_and_gets_everything(narrow: Deployment) -> None:
    await narrow.start("gateway")
    await answering(narrow, "gateway")
    async with Lives.on(narrow) as lives:
        sleepy = await unread(narrow, f"{STREAM}?format=events")
        async with Listener.on(narrow, "format=events") as quick:
            every = [await lives.begin() for _ in range(25)]
            # Names of workers stand in the events: with these the sockets between (3 MB) are full soon.
            await asyncio.gather(*(life.grow(20, worker="w" * 20_000) for life in every))
            wanted = {name for life in every for name in life.ids}
            await quick.until(lambda: set(quick.ids) == wanted)
            assert "lagged" not in {block.get("event") for block in quick.blocks}
        reader, writer = await asyncio.open_connection(sock=sleepy, limit=2**20)
        blocks: list[dict[str, str]] = []
        async with asyncio.timeout(WAIT):
            while not wanted <= {block["id"] for block in blocks if "id" in block}:
                lines = (await reader.readuntil(b"\n\n")).decode().split("\n")
                named = [line for line in lines if line.startswith(("id: ", "event: ", "data: "))]
                blocks.append(dict(line.split(": ", 1) for line in named))
        writer.close()
    ids = [block["id"] for block in blocks if "id" in block]
    for life in every:
        assert [name for name in ids if name.startswith(life.id)] == life.ids
    missed = [json.loads(block["data"])["missed"] for block in blocks if block.get("event") == "lagged"]
    assert missed
    assert all(number > 0 for number in missed)


async def unread(deployment: Deployment, path: str) -> socket.socket:
    """A connection that has asked for a stream and does not read it."""
    sleepy = socket.socket()
    sleepy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sleepy.setblocking(False)
    loop = asyncio.get_running_loop()
    host, _, port = deployment.base_url.removeprefix("http://").partition(":")
    await loop.sock_connect(sleepy, (host, int(port)))
    request = f"GET {path} HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer {deployment.api_key}\r\n\r\n"
    await loop.sock_sendall(sleepy, request.encode())
    return sleepy


async def test_a_job_in_the_viewers_words_over_both(shared: Deployment, video: Path) -> None:
    """A real job of which one pipeline crashes: the sentences, the progress, the files."""
    async with shared.http.post(f"{shared.base_url}/api/v1/events/token") as answer:
        assert answer.status == 200
        token = (await answer.json())["token"]
    url = f"{shared.base_url}/api/v1/events/ws?token={token}&subscribe=false"
    async with aiohttp.ClientSession() as stranger, stranger.ws_connect(url) as wire:
        assert (await wire.receive_json(timeout=WAIT))["event"] == "connected"
        job_id = await shared.submit(video, "scene_detection,crashing")
        await wire.send_json({"type": "subscribe", "job_id": job_id, "close_on_end": True})
        messages: list[dict[str, Any]] = []
        while not messages or messages[-1]["event"] != "unsubscribed":
            messages.append(await wire.receive_json(timeout=WAIT))
    assert messages[0]["event"] == "subscribed"
    told = [one for one in messages if one["event"].startswith("job.")]
    assert {one["event"] for one in told} == {"job.update", "job.log", "job.complete"}
    numbers = [int(one["id"].rpartition(":")[2]) for one in told if one["id"]]
    assert numbers == list(range(1, len(numbers) + 1))

    updates = [one["data"] for one in told if one["event"] == "job.update"]
    assert (updates[0]["status"], updates[0]["progress"]) == ("pending", 0.0)
    assert all(0 <= one["progress"] <= 100 for one in updates)
    assert any("task" in one for one in updates)
    assert {"pending", "running"} <= {one["status"] for one in updates}
    lines = [(one["data"]["level"], one["data"]["message"]) for one in told if one["event"] == "job.log"]
    assert [level for level, text in lines if text.startswith("crashing: attempt")].count("WARNING") == 2
    assert any(level == "ERROR" and "failed for good" in text for level, text in lines)
    assert any(text.startswith("scene_detection: completed with") for _, text in lines)

    last = told[-1]["data"]
    results = await shared.get(f"/api/v1/jobs/{job_id}/results")
    files = [file["filename"] for file in results["pipeline_results"]["scene_detection"]["files"]]
    assert (last["progress"], last["artifacts"]) == (100.0, files)
    assert last["error_message"] == "Completed with errors. Failed pipelines: crashing"
    assert last["failures"]["crashing"]["category"] == "worker_crash"

    # The stream tells the same, afterwards from the document.
    async with Listener.on(shared, f"job_id={job_id}&close_on_end=true") as again:
        await again.over()
    kept = [one for one in told if "task" not in one["data"]]
    assert [json.loads(block["data"]) for block in again.blocks if block.get("event")] == [
        one["data"] | progress_of(again, number) for number, one in enumerate(kept)
    ]


def progress_of(listener: Listener, number: int) -> dict[str, Any]:
    """The progress in a replay is that of the log alone: live there may be telemetry in it."""
    blocks = [block for block in listener.blocks if block.get("event")]
    data = json.loads(blocks[number]["data"])
    return {"progress": data["progress"]} if "progress" in data else {}
