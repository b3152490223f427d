"""Uploads from paths, bytes, open files and pipes."""

from __future__ import annotations

import io
import os
import threading

import pytest

from frameloom.client import AsyncClient, UsageError


async def _sent(gateway, source, **options):
    async with AsyncClient(gateway.url) as client:
        return await client.submit(source, **options)


async def test_a_path_may_be_text(gateway, video):
    await _sent(gateway, str(video))
    assert gateway.uploads == [(100_000, "clip.mp4")]


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
async def test_bytes_are_sent_under_the_name_that_is_given(gateway, kind):
    counts: list[int] = []
    await _sent(gateway, kind(b"x" * 70_000), filename="cut.mp4", on_bytes=counts.append)
    assert gateway.uploads == [(70_000, "cut.mp4")]
    assert counts == [65_536, 70_000]
    assert "Content-Length" in gateway.seen[-1][2]


async def test_an_open_file_is_sent_from_where_it_stands_and_stays_open(gateway, video):
    with video.open("rb") as file:
        file.seek(99_000)
        await _sent(gateway, file)
        assert not file.closed
    assert gateway.uploads == [(1_000, "clip.mp4")]


async def test_a_file_in_memory_needs_no_name(gateway):
    await _sent(gateway, io.BytesIO(b"abc"))
    assert gateway.uploads == [(3, "media")]


async def test_a_pipe_is_sent_without_telling_a_length(gateway):
    reading, writing = os.pipe()

    def write() -> None:
        with os.fdopen(writing, "wb") as out:
            out.write(b"y" * 300_000)

    writer = threading.Thread(target=write)
    writer.start()
    with os.fdopen(reading, "rb") as pipe:
        await _sent(gateway, pipe, filename="live.mkv")
    writer.join()
    assert gateway.uploads == [(300_000, "live.mkv")]
    assert gateway.seen[-1][2]["Transfer-Encoding"] == "chunked"


@pytest.mark.parametrize("source", [io.StringIO("text"), 7, None])
async def test_what_is_no_media_is_wrong_usage(gateway, source):
    with pytest.raises(UsageError, match="a path, bytes, or a file open in binary mode"):
        await _sent(gateway, source)
    assert gateway.seen == []


async def test_a_missing_file_is_wrong_usage(gateway, tmp_path):
    with pytest.raises(UsageError, match=r"absent\.mp4 can not be read: No such file"):
        await _sent(gateway, tmp_path / "absent.mp4")


async def test_an_unknown_way_is_wrong_usage(gateway, video):
    with pytest.raises(UsageError, match="no way 'pigeon'") as caught:
        await _sent(gateway, video, upload="pigeon")
    assert caught.value.hint == "Choose among: auto, form, tus"
