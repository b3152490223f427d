"""A process with many event streams: raw sockets, and nothing done with what comes but to note when.

Started by path. It reads one JSON object from standard input, opens the streams, writes ``open`` when each
has brought its first event, and when all have ended one JSON object with what came and when. The bytes are
parsed only then, so that the measurement is of the gateway and not of this process.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from typing import Any, cast

try:
    import uvloop
except ImportError:
    uvloop = None

_ID = re.compile(rb'^id: .+:(\d+)$|"id": "[^"]+:(\d+)"', re.MULTILINE)
"""The id of an event, as a line of a stream or within a WebSocket's message."""
_ENDS = re.compile(rb"\n\n|\}\}")
_LAGGED = re.compile(rb'event: lagged|"event": "lagged"')
_UPGRADE = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)
_CONNECT_AT_ONCE = 50


class Watcher(asyncio.Protocol):
    """One stream.

    Attributes:
        heard: What came and when, by the wall clock in seconds.
        begun: Done with the first event.
        ended: Done when the other side has ended the stream.
    """

    def __init__(self, request: bytes) -> None:
        loop = asyncio.get_running_loop()
        self.heard: list[tuple[float, bytes]] = []
        self.begun: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[None] = loop.create_future()
        self._request = request

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asks for the stream."""
        cast("asyncio.Transport", transport).write(self._request)  # uvloop's is no subclass of it

    def data_received(self, data: bytes) -> None:
        """Notes it."""
        self.heard.append((time.time(), data))
        if not self.begun.done() and _ID.search(data):
            self.begun.set_result(None)

    def connection_lost(self, _: Exception | None) -> None:
        """It is over."""
        for future in (self.begun, self.ended):
            if not future.done():
                future.set_result(None)

    def found(self) -> dict[str, Any]:
        """Status, and of each event its sequence and when it had come whole."""
        whole, cuts = b"", []
        for at, data in self.heard:
            whole += data
            cuts.append((len(whole), at))
        events, place = [], 0
        for match in _ID.finditer(whole):
            end = _ENDS.search(whole, match.end())
            while place < len(cuts) - 1 and end is not None and cuts[place][0] < end.end():
                place += 1
            events.append((int(match[1] or match[2]), cuts[place][1]))
        return {
            "status": whole[9:12].decode(errors="replace"),
            "events": events,
            "lagged": len(_LAGGED.findall(whole)),
            "bytes": len(whole),
        }


async def watch(asked: dict[str, Any]) -> list[dict[str, Any]]:
    """Opens all streams and waits for their ends."""
    loop = asyncio.get_running_loop()
    gate = asyncio.Semaphore(_CONNECT_AT_ONCE)

    async def opened(path: str) -> Watcher:
        more = _UPGRADE if asked["socket"] else "Accept: text/event-stream\r\n"
        key = f"Authorization: Bearer {asked['key']}\r\n"
        request = f"GET {path} HTTP/1.1\r\nHost: gateway\r\n{key}{more}\r\n".encode()
        async with gate:
            _, watcher = await loop.create_connection(lambda: Watcher(request), asked["host"], asked["port"])
            await watcher.begun
        return watcher

    watchers = await asyncio.gather(*(opened(path) for path in asked["paths"]))
    print("open", flush=True)
    ends = [watcher.ended for watcher in watchers]
    await asyncio.wait(ends, timeout=asked["seconds"])
    return [{**watcher.found(), "ended": watcher.ended.done()} for watcher in watchers]


def main() -> None:
    """Runs the process."""
    asked = json.loads(sys.stdin.readline())
    with asyncio.Runner(loop_factory=uvloop.new_event_loop if uvloop else None) as runner:
        print(json.dumps(runner.run(watch(asked))), flush=True)


if __name__ == "__main__":
    main()
