"""What comes over the open port and is no HTTP."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest
from aiohttp import web

from frameloom.gateway.http.listening import listening


async def spoken(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    try:
        async with asyncio.timeout(5):
            return await reader.read()
    finally:
        writer.close()


LONG = b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    ("request_", "status", "told"),
    [
        (b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n", 501, "This method is unknown in HTTP"),
        (b"get / HTTP/1.1\r\nHost: x\r\n\r\n", 501, "This method is unknown in HTTP"),
        (b"nonsense\r\n\r\n", 501, "This method is unknown in HTTP"),
        (b"GET / HTTP/1.1\r\nno header\r\n\r\n", 400, "The request is no HTTP that this server reads"),
        (LONG, 400, "The address or a header is longer than 8190 bytes"),
    ],
)
async def test_nonsense_is_answered_in_the_envelope_and_fills_no_log(
    caplog: pytest.LogCaptureFixture, request_: bytes, status: int, told: str
) -> None:
    async def boom(_: web.Request) -> web.Response:
        raise RuntimeError("ours")

    app = web.Application()
    app.router.add_get("/boom", boom)
    runner = await listening(app, "127.0.0.1", 0)
    try:
        port = runner.addresses[0][1]
        with caplog.at_level(logging.DEBUG):
            answer = await spoken(port, request_)
            head, _, body = answer.partition(b"\r\n\r\n")
            assert f" {status} ".encode() in head.splitlines()[0]
            assert b"Server: frameloom\r\n" in head + b"\r\n"
            error = json.loads(body)["error"]
            assert (error["message"], bool(error["hint"])) == (told, True)
            assert not [record for record in caplog.records if record.exc_info]
            await spoken(port, b"GET /boom HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert [str(record.exc_info[1]) for record in caplog.records if record.exc_info] == ["ours"]
    finally:
        await runner.cleanup()
