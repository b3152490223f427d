"""Reading a stream until somebody else is to have its place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from frameloom.common.background import cancelled


async def until(
    asked: asyncio.Event, chunks: AsyncIterator[bytes], reason: Exception
) -> AsyncIterator[bytes]:
    """The chunks; raises ``reason`` as soon as the event is set, also while none comes."""
    asking = asyncio.ensure_future(asked.wait())
    try:
        while True:
            coming = asyncio.ensure_future(_next(chunks))
            try:
                await asyncio.wait({coming, asking}, return_when=asyncio.FIRST_COMPLETED)
            except BaseException:
                await cancelled(coming)
                raise
            if asking.done():
                await cancelled(coming)
                raise reason
            chunk = coming.result()
            if chunk is None:
                return
            yield chunk
    finally:
        await cancelled(asking)


async def _next(chunks: AsyncIterator[bytes]) -> bytes | None:
    return await anext(chunks, None)
