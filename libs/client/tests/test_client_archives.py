"""The ZIP of a job: whole or not there, and unpacked inside its folder only."""

from __future__ import annotations

import io
import stat
import zipfile

import pytest
from client_gateway_more import zipped

from frameloom.client import AsyncClient, IntegrityError, NotFoundError, UsageError


@pytest.fixture
def job(gateway) -> str:
    name: str = gateway.add_job("a.mp4", ["face_analysis"])["id"]
    gateway.jobs[name]["status"] = "completed"
    return name


async def test_the_zip_is_fetched_and_checked(gateway, job, tmp_path):
    gateway.zip = zipped(clip=b"v" * 500_000, out__faces=b"{}")
    counts = []
    async with AsyncClient(gateway.url) as client:
        done = await client.artifacts(job, tmp_path, on_progress=lambda *progress: counts.append(progress))
    assert done.path == tmp_path / "job_job-1_artifacts.zip"
    assert done.path.read_bytes() == gateway.zip
    assert done.members == ("clip", "out/faces")
    assert counts[-1] == (len(gateway.zip), None)
    assert [path.name for path in tmp_path.iterdir()] == [done.path.name]


async def test_it_goes_under_the_name_that_is_given(gateway, job, tmp_path):
    async with AsyncClient(gateway.url) as client:
        done = await client.artifacts(job, str(tmp_path / "new" / "mine.zip"))
    assert done.path.name == "mine.zip"


@pytest.mark.parametrize("damage", ["cut", "bits", "none"])
async def test_a_damaged_zip_leaves_nothing(gateway, job, tmp_path, damage):
    whole = zipped(clip=bytes(range(256)) * 400)
    bits = bytearray(whole)
    bits[60] ^= 0xFF
    gateway.zip = {"cut": whole[:-30], "bits": bytes(bits), "none": b""}[damage]
    async with AsyncClient(gateway.url) as client:
        with pytest.raises(IntegrityError):
            await client.artifacts(job, tmp_path)
    assert list(tmp_path.iterdir()) == []


async def test_it_is_unpacked_inside_the_folder_only(gateway, job, tmp_path):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in (
            "../../up.txt",
            "/etc/absolute.txt",
            "a/../../b.txt",
            "C:\\evil.txt",
            "same.txt",
            "SAME.txt",
        ):
            archive.writestr(name, name)
        link = zipfile.ZipInfo("link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    gateway.zip = out.getvalue()
    folder = tmp_path / "deep" / "out"
    async with AsyncClient(gateway.url) as client:
        done = await client.unpacked(job, folder)
    assert len(done) == 6
    assert all(path.resolve().is_relative_to(folder) and path.is_file() for path in done)
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == sorted(p.name for p in done)


async def test_one_file_of_a_job(gateway, job, tmp_path):
    async with AsyncClient(gateway.url) as client:
        done = await client.download_file(job, "face_analysis", tmp_path)
        again = await client.download_file(
            job, "face_analysis", tmp_path / "x" / "faces.json", filename="a_face_analysis.json"
        )
        with pytest.raises(NotFoundError, match=r"has no file b\.json") as caught:
            await client.download_file(job, "face_analysis", tmp_path, filename="b.json")
        assert caught.value.hint == "It has: a_face_analysis.json"
        with pytest.raises(NotFoundError, match="has no pipeline scene"):
            await client.download_file(job, "scene", tmp_path)
    assert done.path == tmp_path / "a_face_analysis.json"
    assert done.verified
    assert again.path.read_bytes() == done.path.read_bytes()


async def test_a_folder_that_can_not_be_written_is_wrong_usage(gateway, job, tmp_path):
    (tmp_path / "file").write_text("in the way")
    async with AsyncClient(gateway.url) as client:
        with pytest.raises(UsageError):
            await client.artifacts(job, tmp_path / "file" / "x.zip")
