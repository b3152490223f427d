"""Archives, the media and the way past the gateway, over the ports in memory."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

import aiohttp
import pytest
from gateway_kit import Gateway, job

from frameloom.common.adapters.memory import MemoryObjectStore
from frameloom.common.documents import Artefact, JobDocument, MediaRef, TaskResult, TaskState, TaskSummary
from frameloom.gateway.services.artifacts import Archive, Content
from frameloom.gateway.services.zip64 import Member
from frameloom.gateway.settings import FileSettings

VIDEO = bytes(range(256)) * 30
SCENES = b'{"annotations": [{"scene_type": "unknown"}]}'
FACES = b'{"annotations": [{"face_id": "f"}]}'
ARCHIVE = "/api/v1/jobs/j/artifacts"
MOVIE = "/api/v1/jobs/j/video"
RESULT = "/api/v1/jobs/j/results/files/scene_detection"


class AddressedStore(MemoryObjectStore):
    """A store that clients could reach."""

    async def presigned_get(
        self, key: str, *, seconds: int, disposition: str, content_type: str
    ) -> str | None:
        told = {"seconds": seconds, "disposition": disposition, "type": content_type}
        return f"https://store.example.org/{quote(key)}?{urlencode(told)}"


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with Gateway().running() as made:
        yield made


def summary(pipeline: str, *files: tuple[str, bytes], checksums: bool = True) -> TaskSummary:
    artefacts = tuple(
        Artefact(
            key=f"results/j/{pipeline}/{name}",
            filename=name,
            format="COCO",
            media_type="application/json",
            size_bytes=len(body),
            sha256=hashlib.sha256(body).hexdigest(),
            annotation_count=1,
            crc32=zlib.crc32(body) if checksums else None,
        )
        for name, body in files
    )
    result = TaskResult(epoch=1, manifest_key=f"m/{pipeline}", artefacts=artefacts, annotation_count=1)
    return TaskSummary(id=pipeline, pipeline=pipeline, state=TaskState.COMPLETED, result=result)


async def stored(
    gateway: Gateway,
    *results: tuple[str, Sequence[tuple[str, bytes]]],
    filename: str = "holiday.webm",
    content_type: str = "video/webm",
    checksums: bool = True,
    tenant: str = "default",
) -> JobDocument:
    """A job with its media and these results in the store."""
    media = MediaRef(
        key="media/j/source",
        filename=filename,
        size_bytes=len(VIDEO),
        sha256=hashlib.sha256(VIDEO).hexdigest(),
        content_type=content_type,
        crc32=zlib.crc32(VIDEO) if checksums else None,
    )
    made = job(
        gateway.clock,
        "j",
        tenant=tenant,
        media=media,
        selected_pipelines=tuple(name for name, _ in results) or ("scene_detection",),
        tasks=tuple(summary(name, *files, checksums=checksums) for name, files in results),
    )
    await gateway.jobs.insert(made)
    await gateway.objects.put(media.key, VIDEO, media.content_type)
    for name, files in results:
        for file, body in files:
            await gateway.objects.put(f"results/j/{name}/{file}", body, "application/json")
        await gateway.objects.put(f"m/{name}", json.dumps({"pipeline": name}, indent=1).encode(), "x/y")
    return made


async def fetched(gateway: Gateway, path: str, **headers: str) -> tuple[aiohttp.ClientResponse, bytes]:
    async with gateway.client.get(path, headers=headers, allow_redirects=False) as answer:
        return answer, await answer.read()


def unpacked(body: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert len(names) == len(set(names))
        return {name: archive.read(name) for name in names}


class TestArchive:
    @pytest.mark.parametrize("checksums", [True, False])
    async def test_it_has_the_media_and_every_file_and_tells_its_length(
        self, gateway: Gateway, checksums: bool
    ) -> None:
        scenes, faces = ("holiday_scene_detection.json", SCENES), ("holiday_face_detections.json", FACES)
        await stored(gateway, ("scene_detection", [scenes]), ("face_analysis", [faces]), checksums=checksums)
        answer, body = await fetched(gateway, ARCHIVE)
        assert answer.status == 200
        assert answer.headers["Content-Disposition"] == "attachment; filename=job_j_artifacts.zip"
        assert answer.headers["Content-Type"] == "application/zip"
        assert int(answer.headers["Content-Length"]) == len(body)
        assert answer.headers["Accept-Ranges"] == ("bytes" if checksums else "none")
        files = unpacked(body)
        assert list(files) == [
            "holiday.webm",
            "holiday_output/holiday_scene_detection.json",
            "holiday_output/holiday_face_detections.json",
            "manifest.json",
            "provenance.jsonl",
        ]
        assert files["holiday.webm"] == VIDEO
        assert files["holiday_output/holiday_scene_detection.json"] == SCENES
        lines = files["provenance.jsonl"].decode().splitlines()
        assert [json.loads(line) for line in lines] == [
            {"pipeline": "scene_detection"},
            {"pipeline": "face_analysis"},
        ]
        listed = {entry["path"]: entry for entry in json.loads(files["manifest.json"])["files"]}
        assert set(listed) == set(list(files)[:3])
        for path, entry in listed.items():
            assert entry["sha256"] == hashlib.sha256(files[path]).hexdigest()
            assert entry["size_bytes"] == len(files[path])

    async def test_any_range_of_it_is_the_same_bytes(self, gateway: Gateway) -> None:
        await stored(gateway, ("scene_detection", [("holiday_scene_detection.json", SCENES)]))
        answer, whole = await fetched(gateway, ARCHIVE)
        tag = answer.headers["ETag"]
        step = 997  # parts begin and end inside headers, contents and the directory
        parts = []
        for begin in range(0, len(whole), step):
            headers = {"Range": f"bytes={begin}-{begin + step - 1}", "If-Range": tag}
            part, body = await fetched(gateway, ARCHIVE, **headers)
            assert part.status == 206
            assert part.headers["Content-Range"].endswith(f"/{len(whole)}")
            parts.append(body)
        assert b"".join(parts) == whole
        answer, tail = await fetched(gateway, ARCHIVE, Range="bytes=-22")
        assert tail == whole[-22:]
        answer, _ = await fetched(gateway, ARCHIVE, Range=f"bytes={len(whole)}-")
        assert answer.status == 416

    async def test_its_tag_changes_with_what_it_holds(self, gateway: Gateway) -> None:
        before = await stored(gateway)
        answer, body = await fetched(gateway, ARCHIVE)
        assert list(unpacked(body)) == ["holiday.webm", "manifest.json"]
        tag = answer.headers["ETag"]
        assert (await fetched(gateway, ARCHIVE, **{"If-None-Match": tag}))[0].status == 304
        done = summary("scene_detection", ("holiday_scene_detection.json", SCENES))
        await gateway.objects.put(f"results/j/scene_detection/{'holiday_scene_detection.json'}", SCENES, "x")
        await gateway.jobs.insert(before.model_copy(update={"tasks": (done,)}))
        answer, body = await fetched(gateway, ARCHIVE, Range="bytes=5-9", **{"If-Range": tag})
        assert answer.status == 200
        assert len(unpacked(body)) == 3
        assert (await fetched(gateway, ARCHIVE, **{"If-Match": tag}))[0].status == 412

    async def test_head_tells_the_facts(self, gateway: Gateway) -> None:
        await stored(gateway)
        _, body = await fetched(gateway, ARCHIVE)
        async with gateway.client.head(ARCHIVE, headers={"Range": "bytes=0-9"}) as answer:
            assert answer.status == 200
            assert int(answer.headers["Content-Length"]) == len(body)
            assert await answer.read() == b""

    async def test_two_files_of_one_name_both_survive(self, gateway: Gateway) -> None:
        one, two, three = b"1", b"22", b"333"
        await stored(
            gateway, ("a", [("x.json", one), ("y.json", three)]), ("b", [("x.json", two)]), filename="c.mp4"
        )
        _, body = await fetched(gateway, ARCHIVE)
        files = unpacked(body)
        assert files["c_output/x.json"] == one
        assert files["c_output/y.json"] == three
        assert files["c_output/2/x.json"] == two
        listed = {entry["path"]: entry for entry in json.loads(files["manifest.json"])["files"]}
        assert [listed[f"c_output/{path}"]["pipeline"] for path in ("x.json", "2/x.json")] == ["a", "b"]

    @pytest.mark.parametrize(
        ("filename", "content_type", "name"),
        [
            ("a.webm", "video/webm", "a.webm"),
            ("a.MKV", "video/x-matroska", "a.MKV"),
            ("Ünïcode 🎬.mov", "video/quicktime", "Ünïcode 🎬.mov"),
            ("clip", "video/mp4", "clip.mp4"),
            (".hidden", "video/webm", "hidden.webm"),
            ("track", "audio/flac", "track"),
            ("manifest.json", "video/mp4", "manifest.json"),
        ],
    )
    async def test_the_media_keep_their_name(
        self, gateway: Gateway, filename: str, content_type: str, name: str
    ) -> None:
        await stored(gateway, filename=filename, content_type=content_type)
        _, body = await fetched(gateway, ARCHIVE)
        files = unpacked(body)
        assert files[name] == VIDEO
        assert len(files) == 2

    async def test_no_name_leads_out_of_the_folder(self, gateway: Gateway) -> None:
        """Names are cleaned when they come in; this is for those of third parties' pipelines."""
        await stored(gateway, ("p", [("../../x.json", b"1"), ("..\\y", b"2")]), filename="../a/b.mp4")
        _, body = await fetched(gateway, ARCHIVE)
        for name in unpacked(body):
            assert ".." not in name.split("/")
            assert "\\" not in name
            assert not name.startswith("/")

    async def test_the_viewer_takes_nothing_of_ours_for_annotations(self, gateway: Gateway) -> None:
        """It goes by words in paths and, in JSON files, by quoted keys near the beginning."""
        names = ("speech_recognition", "speaker_diarization", "face_analysis", "person_tracking")
        await stored(gateway, *((name, [("c.json", b"1")]) for name in names), filename="c.mp4")
        _, body = await fetched(gateway, ARCHIVE)
        files = unpacked(body)
        assert not any(word in path for path in files for word in names)
        manifest = files["manifest.json"].decode()
        keys = ("face_id", "attributes", "emotions", "keypoints", "scene_type", "start_time", "end_time")
        assert not any(f'"{key}"' in manifest for key in keys)
        assert not any(list_ in json.loads(manifest) for list_ in ("annotations", "results", "scenes"))
        assert [path for path in files if path.endswith(".json")][-1] == "manifest.json"

    async def test_what_is_gone_is_left_out(self, gateway: Gateway) -> None:
        await stored(gateway, ("scene_detection", [("a.json", SCENES), ("b.json", FACES)]))
        await gateway.objects.delete(["media/j/source", "results/j/scene_detection/a.json"])
        _, body = await fetched(gateway, ARCHIVE)
        assert list(unpacked(body)) == ["holiday_output/b.json", "manifest.json", "provenance.jsonl"]

    async def test_nothing_at_all_is_404_in_the_envelope(self, gateway: Gateway) -> None:
        await stored(gateway)
        await gateway.objects.delete(["media/j/source"])
        for path in (ARCHIVE, MOVIE):
            status, body = await gateway.get(path)
            assert (status, body["error"]["code"]) == (404, "HTTP_ERROR")
            assert body["detail"] == body["error"]["message"] == "No artifacts found for job j"
        status, body = await gateway.get("/api/v1/jobs/nobody/artifacts")
        assert (status, body["error"]["code"]) == (404, "JOB_NOT_FOUND")

    async def test_it_is_strict_about_the_missing_key(self, gateway: Gateway) -> None:
        await stored(gateway)
        async with gateway.stranger() as session, session.get(ARCHIVE) as answer:
            assert answer.status == 403
            assert (await answer.json())["detail"] == "Not authenticated"

    @pytest.mark.parametrize("path", [ARCHIVE, MOVIE, RESULT])
    async def test_another_tenants_files_do_not_exist(self, gateway: Gateway, path: str) -> None:
        await stored(gateway, ("scene_detection", [("a.json", SCENES)]), tenant="another")
        status, body = await gateway.get(path)
        assert (status, body["error"]["code"]) == (404, "JOB_NOT_FOUND")

    async def test_a_file_that_is_not_what_it_was_breaks_the_download_off(self, gateway: Gateway) -> None:
        await stored(gateway)
        await gateway.objects.put("media/j/source", VIDEO[:-1] + b"?", "video/webm")
        with pytest.raises(aiohttp.ClientPayloadError):
            await fetched(gateway, ARCHIVE)


GIB = 1024**3


class EndlessStore(MemoryObjectStore):
    """A store whose objects are zeros, of any length, and never in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.most = 0
        self.under_way = 0

    async def read(
        self, key: str, *, offset: int = 0, length: int | None = None, etag: str | None = None
    ) -> AsyncIterator[bytes]:
        block = bytes(16 * 1024**2)
        left = length or 0
        while left:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            yield block[:left]
            left -= min(left, len(block))
            self.under_way -= 1


async def test_an_archive_beyond_four_gigabytes_is_streamed_whole() -> None:
    store = EndlessStore()
    when = Gateway().clock.now()
    sizes = {"a.mp4": 4 * GIB + 5, "b.json": 77}
    contents = [
        Content(Member(name, size, None, when + timedelta(seconds=1)), "0" * 64, key=name)
        for name, size in sizes.items()
    ]
    archive = Archive(contents, store)
    passed, last = 0, b""
    async for block in archive.read(0, archive.size_bytes):
        passed += len(block)
        last = block
    assert passed == archive.size_bytes > 4 * GIB
    assert last.endswith(b"PK\x05\x06" + last[-18:])
    assert last.startswith(b"PK\x01\x02")
    assert store.most == 1  # no block is read before the one before it has been taken


class TestMedia:
    async def test_it_plays_in_ranges(self, gateway: Gateway) -> None:
        await stored(gateway)
        answer, body = await fetched(gateway, MOVIE, Range="bytes=10-19")
        assert (answer.status, body) == (206, VIDEO[10:20])
        assert answer.headers["Content-Type"] == "video/webm"
        assert answer.headers["Content-Disposition"] == 'inline; filename="holiday.webm"'
        assert answer.headers["ETag"] == f'"{hashlib.sha256(VIDEO).hexdigest()}"'
        async with gateway.client.head(MOVIE) as head:
            assert int(head.headers["Content-Length"]) == len(VIDEO)


class TestElsewhere:
    @pytest.fixture
    async def led(self) -> AsyncIterator[Gateway]:
        made = Gateway()
        made.objects = AddressedStore()
        async with made.running() as running:
            await stored(running, ("scene_detection", [("ä.json", SCENES)]))
            yield running

    @pytest.mark.parametrize(
        ("path", "key", "told"),
        [
            (
                RESULT,
                "results/j/scene_detection/ä.json",
                ["300", "attachment; filename=\"_.json\"; filename*=UTF-8''%C3%A4.json", "application/json"],
            ),
            (MOVIE, "media/j/source", ["300", 'inline; filename="holiday.webm"', "video/webm"]),
        ],
    )
    async def test_a_client_is_led_to_the_store_when_it_asks(
        self, led: Gateway, path: str, key: str, told: list[str]
    ) -> None:
        answer, body = await fetched(led, f"{path}?redirect=true")
        assert (answer.status, body) == (307, b"")
        address = urlsplit(answer.headers["Location"])
        assert unquote(address.path) == f"/{key}"
        assert [value for _, value in parse_qsl(address.query)] == told
        assert answer.headers["Cache-Control"] == "no-store"
        assert (await fetched(led, path))[0].status == 200
        async with led.client.head(f"{path}?redirect=true", allow_redirects=False) as head:
            assert head.status == 200

    async def test_whoever_has_the_file_is_not_led(self, led: Gateway) -> None:
        tag = f'"{hashlib.sha256(SCENES).hexdigest()}"'
        answer, _ = await fetched(led, f"{RESULT}?redirect=true", **{"If-None-Match": tag})
        assert answer.status == 304

    async def test_the_archive_is_never_elsewhere(self, led: Gateway) -> None:
        assert (await fetched(led, f"{ARCHIVE}?redirect=true"))[0].status == 200

    async def test_a_store_without_addresses_is_read(self, gateway: Gateway) -> None:
        await stored(gateway)
        answer, body = await fetched(gateway, f"{MOVIE}?redirect=true")
        assert (answer.status, body) == (200, VIDEO)

    async def test_the_setting_makes_it_the_rule(self) -> None:
        made = Gateway(files=FileSettings(redirect=True, redirect_seconds=60))
        made.objects = AddressedStore()
        async with made.running():
            await stored(made)
            answer, _ = await fetched(made, MOVIE)
            assert answer.status == 307
            assert "?seconds=60&" in answer.headers["Location"]
            assert (await fetched(made, f"{MOVIE}?redirect=false"))[0].status == 200

    @pytest.mark.parametrize("query", ["redirect=maybe", "redirect="])
    async def test_what_is_no_yes_or_no_is_refused(self, gateway: Gateway, query: str) -> None:
        status, body = await gateway.get(f"{MOVIE}?{query}")
        detail: list[dict[str, Any]] = body["detail"]
        assert (status, detail[0]["loc"]) == (422, ["query", "redirect"])
