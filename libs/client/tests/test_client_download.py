"""Result files: names made harmless, bytes checked, broken lines resumed, nothing half left behind."""

from __future__ import annotations

import os
import stat

import pytest

from frameloom.client.api import AsyncClient
from frameloom.client.download import download, download_all
from frameloom.client.errors import IntegrityError, RefusedError, UsageError
from frameloom.client.models import ResultFile
from frameloom.client.names import safe_name

PIPELINES = ["scene_detection", "face_analysis"]


async def _all(gateway, folder):
    async with AsyncClient(gateway.url) as client:
        return await download_all(client, await client.results("job-1"), folder)


def _names(folder):
    return sorted(path.name for path in folder.iterdir())


def _completed(gateway):
    gateway.add_job("clip.mp4", PIPELINES)
    gateway.jobs["job-1"]["status"] = "completed"


async def test_files_arrive_checked_under_their_names(gateway, tmp_path):
    _completed(gateway)
    files = await _all(gateway, tmp_path / "new" / "out")
    assert _names(tmp_path / "new" / "out") == [
        "clip_face_analysis.json",
        "clip_scene_detection.json",
    ]
    assert all(file.verified and file.path.stat().st_size == file.size_bytes for file in files)
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(files[0].path.stat().st_mode) == 0o666 & ~umask


async def test_a_server_can_not_name_a_file_outside_the_folder(gateway, tmp_path):
    _completed(gateway)
    gateway.faults.names = {"scene_detection": "../../evil.json", "face_analysis": "/etc/evil.json"}
    out = tmp_path / "a" / "b"
    files = await _all(gateway, out)
    assert {file.path.name for file in files} == {"evil.json", "evil-2.json"}
    assert {file.path.parent for file in files} == {out}
    assert _names(tmp_path / "a") == ["b"]


async def test_a_damaged_file_is_refused_and_leaves_nothing(gateway, tmp_path):
    _completed(gateway)
    gateway.faults.damage = True
    with pytest.raises(IntegrityError, match="sha256"):
        await _all(gateway, tmp_path / "out")
    assert _names(tmp_path / "out") == []


async def test_a_file_of_another_length_is_refused(gateway, tmp_path):
    _completed(gateway)
    wrong = ResultFile(filename="x.json", size_bytes=1)
    async with AsyncClient(gateway.url) as client:
        with pytest.raises(IntegrityError, match="announced 1"):
            await download(client, "job-1", "face_analysis", wrong, tmp_path / "x.json")
    assert _names(tmp_path) == []


async def test_a_broken_line_is_taken_up_where_it_broke(gateway, tmp_path):
    _completed(gateway)
    gateway.faults.cut_download_at = 10
    seen: list[int] = []
    async with AsyncClient(gateway.url) as client:
        results = await client.results("job-1")
        file = results.pipeline_results["face_analysis"].files[0]
        done = await download(
            client,
            "job-1",
            "face_analysis",
            file,
            tmp_path / "x.json",
            on_progress=lambda got, _: seen.append(got),
        )
    assert done.verified
    ranges = [headers.get("Range") for _, path, headers in gateway.seen if "/files/" in path]
    assert ranges == [None, "bytes=10-"]
    assert seen[0] == 10


async def test_an_older_file_stands_until_the_new_one_is_whole(gateway, tmp_path):
    _completed(gateway)
    old = tmp_path / "out" / "clip_scene_detection.json"
    old.parent.mkdir()
    old.write_text("old")
    gateway.faults.damage = True
    with pytest.raises(IntegrityError):
        await _all(gateway, tmp_path / "out")
    assert old.read_text() == "old"
    gateway.faults.damage = False
    await _all(gateway, tmp_path / "out")
    assert old.read_text() != "old"


async def test_a_link_in_the_folder_is_replaced_not_followed(gateway, tmp_path):
    _completed(gateway)
    out = tmp_path / "out"
    out.mkdir()
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (out / "clip_scene_detection.json").symlink_to(victim)
    await _all(gateway, out)
    assert victim.read_text() == "mine"
    assert not (out / "clip_scene_detection.json").is_symlink()


async def test_a_folder_that_can_not_be_made_is_wrong_usage(gateway, tmp_path):
    _completed(gateway)
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="can not be made"):
        await _all(gateway, tmp_path / "file" / "out")


async def test_a_missing_file_is_refused(gateway, tmp_path):
    _completed(gateway)
    async with AsyncClient(gateway.url) as client:
        with pytest.raises(RefusedError):
            await client.results("nobody")


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("clip.json", "clip.json"),
        ("../../x.json", "x.json"),
        ("..\\..\\x.json", "x.json"),
        ("/etc/passwd", "passwd"),
        ("C:\\x.json", "x.json"),
        ("a/..", "result.json"),
        ("", "result.json"),
        (".", "result.json"),
        ("...", "result.json"),
        (".bashrc", "bashrc"),
        ("a\0b\n.json", "a_b_.json"),
        ("a\u202egpj.json", "a_gpj.json"),
        ("con.json", "_con.json"),
        ("été [1].json", "été [1].json"),
        ('a:b*c?"<>|.json', "a_b_c_____.json"),
    ],
)
def test_names_are_made_harmless(name, safe):
    assert safe_name(name, fallback="result.json") == safe


def test_long_names_keep_their_suffix_and_fit_a_file_system():
    name = safe_name("ü" * 400 + ".json", fallback="x")
    assert name.endswith(".json")
    assert len(name.encode()) <= 200


def test_the_same_name_twice_is_told_apart():
    taken: set[str] = set()
    given = [safe_name(name, fallback="x", taken=taken) for name in ("a.json", "A.json", "a.json", "b", "b")]
    assert given == ["a.json", "A-2.json", "a-3.json", "b", "b-2"]
