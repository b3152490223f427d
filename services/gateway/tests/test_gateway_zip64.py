"""The layout of archives, read back by Python's own reader."""

from __future__ import annotations

import io
import shutil
import subprocess
import zipfile
import zlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from frameloom.gateway.services.zip64 import Kind, Layout, Member

WHEN = datetime(2026, 11, 24, 13, 14, 16, tzinfo=UTC)
FILES = {
    "holiday.webm": bytes(range(256)) * 40,
    "holiday_output/faces ä.json": b'{"a": 1}',
    "holiday_output/2/empty.txt": b"",
}


def layout_of(files: dict[str, bytes], *, known: bool = True) -> Layout:
    return Layout(
        [Member(name, len(body), zlib.crc32(body) if known else None, WHEN) for name, body in files.items()]
    )


def whole(layout: Layout, files: dict[str, bytes]) -> bytes:
    bodies = list(files.values())
    checksums = {number: zlib.crc32(body) for number, body in enumerate(bodies)}
    return b"".join(
        bodies[part.member] if part.kind is Kind.CONTENT else layout.written(part, checksums)
        for part in layout.parts()
    )


@pytest.mark.parametrize("known", [True, False])
def test_what_goes_in_comes_out(known: bool) -> None:
    layout = layout_of(FILES, known=known)
    body = whole(layout, FILES)
    assert (len(body), layout.fixed) == (layout.size_bytes, known)
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == FILES
        info = archive.getinfo("holiday.webm")
        assert info.date_time == (2026, 11, 24, 13, 14, 16)
        assert info.compress_type == zipfile.ZIP_STORED


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.skipif(shutil.which("unzip") is None, reason="unzip is not installed")
def test_unzip_finds_no_fault(tmp_path: Path, known: bool) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(whole(layout_of(FILES, known=known), FILES))
    done = subprocess.run(["unzip", "-t", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No errors detected" in done.stdout


def test_each_part_has_the_length_it_tells() -> None:
    for known in (True, False):
        layout = layout_of(FILES, known=known)
        for part in layout.parts():
            if part.kind is not Kind.CONTENT:
                assert len(layout.written(part, dict.fromkeys(range(len(FILES)), 7))) == part.size_bytes


class Sparse(io.RawIOBase):
    """An archive whose large contents are never there: they read as zeros."""

    def __init__(self, layout: Layout, checksums: dict[int, int]) -> None:
        self._pieces: list[tuple[int, int, bytes | None]] = []
        self._at = 0
        place = 0
        for part in layout.parts():
            body = None if part.kind is Kind.CONTENT else layout.written(part, checksums)
            self._pieces.append((place, part.size_bytes, body))
            place += part.size_bytes
        self.size = place

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + {0: 0, 1: self._at, 2: self.size}[whence]
        return self._at

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        for place, size, body in self._pieces:
            if place <= self._at < place + size:
                start = self._at - place
                taken = min(len(buffer), size - start)
                buffer[:taken] = bytes(taken) if body is None else body[start : start + taken]
                self._at += taken
                return taken
        return 0


GIB = 1024**3


@pytest.mark.parametrize("known", [True, False])
def test_files_and_archives_beyond_four_gigabytes(known: bool) -> None:
    """A file larger than 32 bits tell, one that begins behind them, and a small one at the end."""
    sizes = {"large.mp4": 5 * GIB, "exactly.mp4": 0xFFFFFFFF, "late.mp4": 10, "late2.mp4": 0}
    sums = {0: 0x11111111, 1: 0x22222222, 2: zlib.crc32(bytes(10)), 3: 0}
    layout = Layout(
        [
            Member(name, size, sums[number] if known else None, WHEN)
            for number, (name, size) in enumerate(sizes.items())
        ]
    )
    assert layout.size_bytes > 9 * GIB
    sparse = Sparse(layout, sums)
    assert sparse.size == layout.size_bytes
    with zipfile.ZipFile(io.BufferedReader(sparse)) as archive:
        infos = {info.filename: info for info in archive.infolist()}
        assert {name: info.file_size for name, info in infos.items()} == sizes
        assert [info.CRC for info in infos.values()] == list(sums.values())
        assert infos["late.mp4"].header_offset > 9 * GIB - 1024
        assert archive.read("late.mp4") == bytes(10)
        with archive.open("large.mp4") as large:
            assert large.read(1000) == bytes(1000)


def test_more_files_than_sixteen_bits_count() -> None:
    files = {f"{number:x}": b"" for number in range(0x10001)}
    body = whole(layout_of(files), files)
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert len(archive.namelist()) == 0x10001


def test_a_time_before_the_format_began_is_its_first_year() -> None:
    layout = Layout([Member("a", 0, 0, datetime(1970, 5, 6, tzinfo=UTC))])
    with zipfile.ZipFile(io.BytesIO(whole(layout, {"a": b""}))) as archive:
        assert archive.getinfo("a").date_time == (1980, 5, 6, 0, 0, 0)
