"""Requests that are wrong as such, written by hand: what clients' libraries would not send."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from support.hostile.base import video

_END = b"\r\n--B--\r\n"
_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Door:
    """Where a request is sent.

    Attributes:
        port: On loopback.
        key: Of the API.
    """

    port: int
    key: str

    def head(self, *lines: str, boundary: str = "B") -> bytes:
        """A request's first lines."""
        fixed = (
            "POST /api/v1/jobs/ HTTP/1.1",
            "Host: localhost",
            f"Authorization: Bearer {self.key}",
            f"Content-Type: multipart/form-data; boundary={boundary}",
        )
        return "\r\n".join((*fixed, *lines, "", "")).encode()


Talk = Callable[[Door, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class RequestCase:
    """A request, and what it must be answered with.

    Attributes:
        name: Of the test.
        talk: Sends it.
        status: 0: the client is gone before anybody could answer.
        told: Must stand in the answer.
    """

    name: str
    talk: Talk
    status: int
    told: str = ""


async def answered(case: RequestCase, door: Door) -> tuple[int, str]:
    """Sends a case; its status and its answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    try:
        async with asyncio.timeout(_SECONDS):
            talking = asyncio.create_task(_talk(case, door, reader, writer))
            if case.status == 0:
                await talking
                return 0, ""
            answer = await _answer(reader)
            talking.cancel()
            await asyncio.wait({talking})
            return answer
    finally:
        writer.close()


async def _talk(
    case: RequestCase, door: Door, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    try:
        await case.talk(door, reader, writer)
        await writer.drain()
    except ConnectionError:
        return  # it was refused before it had said everything


async def _answer(reader: asyncio.StreamReader) -> tuple[int, str]:
    status = int((await reader.readline()).split()[1])
    length = 0
    while (line := await reader.readline()).strip():
        name, _, value = line.decode().partition(":")
        if name.lower() == "content-length":
            length = int(value)
    return status, (await reader.readexactly(length)).decode()


def part(name: str, body: bytes, *lines: str, filename: str | None = "v.mp4") -> bytes:
    """A part of a form."""
    named = f'; filename="{filename}"' if filename is not None else ""
    head = "\r\n".join((f'Content-Disposition: form-data; name="{name}"{named}', *lines))
    return f"--B\r\n{head}\r\n\r\n".encode() + body


def whole(*parts: bytes, lines: tuple[str, ...] = ()) -> Talk:
    """A form of these parts, with its right length."""
    body = b"\r\n".join(parts) + _END

    async def talk(door: Door, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(door.head(*lines, f"Content-Length: {len(body)}") + body)

    return talk


def raw(body: bytes, *lines: str, boundary: str = "B", length: int | None = None) -> Talk:
    """Some bytes, as a form of some length."""
    told = len(body) if length is None else length

    async def talk(door: Door, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(door.head(*lines, f"Content-Length: {told}", boundary=boundary) + body)

    return talk


def _endless(beginning: bytes) -> Talk:
    """A body that has no end, in pieces that say their length."""

    async def talk(door: Door, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(door.head("Transfer-Encoding: chunked"))
        piece = bytes(64 * 1024)
        writer.write(b"%x\r\n%b\r\n" % (len(beginning), beginning))
        while True:
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await writer.drain()

    return talk


def _dripping(seconds: float) -> Talk:
    """A byte now and then, never silent for long."""

    async def talk(door: Door, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(door.head("Content-Length: 1000000") + part("video", video()[:500]))
        while True:
            writer.write(b"\0")
            await writer.drain()
            await asyncio.sleep(seconds)

    return talk


async def _silent(door: Door, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(door.head("Content-Length: 1000000") + part("video", video()))


async def _vanishing(door: Door, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(door.head("Content-Length: 3000000") + part("video", video() + bytes(2_000_000)))
    await writer.drain()
    writer.transport.abort()


async def _expecting(door: Door, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(door.head("Content-Length: 99999999999", "Expect: 100-continue"))


def _fields(count: int, size: int) -> bytes:
    return b"\r\n".join(part(f"f{number}", b"x" * size, filename=None) for number in range(count))


UNREADABLE = "can not be read"
_VIDEO = part("video", video())
_NESTED = part("video", b"--C\r\n\r\nx\r\n--C--", "Content-Type: multipart/mixed; boundary=C")
_HEADERS = part("video", video(), *(f"X-{n}: y" for n in range(1000)))
_LONG_HEADER = part("video", video(), "X: " + "y" * 1_000_000)
_BASE64 = part("video", b"AAAA", "Content-Transfer-Encoding: base64")
_ZIPPED = part("video", b"AAAA", "Content-Encoding: gzip")
_ZIP_BOMB = gzip.compress(bytes(10_000_000))

REQUESTS: tuple[RequestCase, ...] = (
    RequestCase("no form at all", raw(b"hello"), 400, UNREADABLE),
    RequestCase("no body", raw(b""), 400, UNREADABLE),
    RequestCase("another boundary", raw(_VIDEO + _END, boundary="C"), 400, UNREADABLE),
    RequestCase("boundary of two hundred letters", raw(b"x", boundary="x" * 200), 400, UNREADABLE),
    RequestCase("no end", raw(_VIDEO), 400, UNREADABLE),
    RequestCase("two videos", whole(_VIDEO, _VIDEO), 400, "more than one"),
    RequestCase("three thousand parts", whole(_fields(3000, 1), _VIDEO), 400, "more than 32"),
    RequestCase("many large fields", whole(_fields(9, 700_000), _VIDEO), 413, "field"),
    RequestCase("field of two megabytes", whole(_fields(1, 2_000_000)), 413, "field"),
    RequestCase("part in base64", whole(_BASE64), 415, "Encoded"),
    RequestCase("zipped part", whole(_ZIPPED), 415, "Encoded"),
    RequestCase("zipped body", raw(_ZIP_BOMB, "Content-Encoding: gzip"), 415, "Content-Encoding gzip"),
    RequestCase("form in a form", whole(_NESTED), 400, "itself a form"),
    RequestCase("part with a thousand headers", whole(_HEADERS), 400, UNREADABLE),
    RequestCase("part with a header of a megabyte", whole(_LONG_HEADER), 400, UNREADABLE),
    RequestCase("video that is a text", whole(part("video", b"text", filename=None)), 422, "UploadFile"),
    RequestCase("video of another name", whole(part("movie", b"\xff" * 100)), 422, "Field required"),
    RequestCase("config that is no text", whole(part("config", b"\xff", filename=None)), 400, "UTF-8"),
    RequestCase("length of a hundred gigabytes", _expecting, 413, "larger"),
    RequestCase("endless stream", _endless(_VIDEO), 413, "larger"),
    RequestCase("endless emptiness before the form", _endless(b"x" * 100), 400, UNREADABLE),
    RequestCase("client that falls silent", _silent, 408, "Nothing was received"),
    RequestCase("client that sends a byte now and then", _dripping(0.2), 408, "bytes were received"),
    RequestCase("client that vanishes", _vanishing, 0),
)
