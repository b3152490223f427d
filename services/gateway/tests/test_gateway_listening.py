"""What comes over the open port and is no HTTP."""

from __future__ import annotations

import asyncio
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


@pytest.mark.parametrize("request_", [b"FOO / HTTP/1.1\r\nHost: x\r\n\r\n", b"nonsense\r\n\r\n"])
async def test_nonsense_is_answered_and_fills_no_log(
    caplog: pytest.LogCaptureFixture, request_: bytes
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
            assert b" 400 " in answer.splitlines()[0]
            assert not [record for record in caplog.records if record.exc_info]
            await spoken(port, b"GET /boom HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert [str(record.exc_info[1]) for record in caplog.records if record.exc_info] == ["ours"]
    finally:
        await runner.cleanup()
