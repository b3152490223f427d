"""Resumable uploads: the tus protocol 1.0.0, over the ports in memory."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import zlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from gateway_kit import KEY_LINE, MP4, Gateway, soon

from frameloom.common.documents import UploadState
from frameloom.common.errors import StorageUnavailableError
from frameloom.common.machines.upload import take
from frameloom.gateway.app import UPLOAD_KEEPER
from frameloom.gateway.settings import LimitSettings, ResumableSettings

UPLOADS = "/api/v1/uploads"
TUS = {"Tus-Resumable": "1.0.0"}
PIECE = {**TUS, "Content-Type": "application/offset+octet-stream"}


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with Gateway().running() as made:
        yield made


def metadata(**pairs: str) -> str:
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in pairs.items())


async def asked(
    gateway: Gateway, method: str, path: str, headers: dict[str, str], **options: Any
) -> tuple[int, Any, Any]:
    """The status, the headers, and the body if there is one."""
    async with gateway.client.request(
        method, path, headers=headers, skip_auto_headers=("Content-Type",), **options
    ) as answer:
        body = await answer.json() if answer.content_type == "application/json" and method != "HEAD" else None
        return answer.status, answer.headers, body


async def begun(gateway: Gateway, length: int = len(MP4), **pairs: str) -> str:
    """The address of a new upload."""
    pairs = pairs or {"filename": "clip.mp4", "selected_pipelines": "scene_detection"}
    headers = {**TUS, "Upload-Length": str(length), "Upload-Metadata": metadata(**pairs)}
    status, answered, body = await asked(gateway, "POST", UPLOADS, headers)
    assert status == 201, body
    assert answered["Tus-Resumable"] == "1.0.0"
    assert answered["Upload-Offset"] == "0"
    return str(answered["Location"])


async def patched(gateway: Gateway, url: str, offset: int, data: Any, **headers: str) -> tuple[int, Any, Any]:
    return await asked(gateway, "PATCH", url, {**PIECE, "Upload-Offset": str(offset), **headers}, data=data)


async def offset_of(gateway: Gateway, url: str) -> int:
    status, headers, _ = await asked(gateway, "HEAD", url, TUS)
    assert status == 200
    assert headers["Cache-Control"] == "no-store"
    return int(headers["Upload-Offset"])


def media(gateway: Gateway) -> bytes:
    """The one media file that there is; nothing else is left of any upload."""
    ((key, (body, _)),) = gateway.objects.held.items()
    assert key.startswith("media/")
    assert gateway.objects.joining == {}
    return body


async def test_what_the_server_can_do(gateway: Gateway) -> None:
    for path in (UPLOADS, f"{UPLOADS}/whatever"):
        status, headers, _ = await asked(gateway, "OPTIONS", path, {})
        assert status == 204
        assert headers["Tus-Version"] == "1.0.0"
        assert headers["Tus-Max-Size"] == "100000"
        assert headers["Tus-Extension"] == "creation,creation-with-upload,termination,checksum,expiration"
        assert headers["Tus-Checksum-Algorithm"] == "sha1,sha256,md5,crc32"


@pytest.mark.parametrize("size", [97, 400, 999, 1000, 1001, 2500, 100_000])
async def test_pieces_of_any_size_become_the_file(gateway: Gateway, size: int) -> None:
    body = MP4
    url = await begun(gateway, len(body))
    for start in range(0, len(body), size):
        assert await offset_of(gateway, url) == start
        status, headers, answer = await patched(gateway, url, start, body[start : start + size])
        assert status == 204, answer
        assert headers["Upload-Offset"] == str(min(start + size, len(body)))
    job_id = headers["X-Job-Id"]
    assert headers["Location"] == f"/api/v1/jobs/{job_id}"
    assert media(gateway) == body
    status, job = await gateway.get(f"/api/v1/jobs/{job_id}")
    assert (status, job["video_filename"], job["selected_pipelines"]) == (
        200,
        "clip.mp4",
        ["scene_detection"],
    )
    assert gateway.jobs.held[job_id].media.sha256 == hashlib.sha256(body).hexdigest()
    status, headers, _ = await asked(gateway, "HEAD", url, TUS)
    assert (status, headers["X-Job-Id"], headers["Upload-Offset"]) == (200, job_id, str(len(body)))
    # Asked again, the end is answered again.
    status, headers, _ = await patched(gateway, url, len(body), b"")
    assert (status, headers["X-Job-Id"]) == (204, job_id)
    assert len(gateway.jobs.held) == 1


async def test_bytes_may_come_one_by_one(gateway: Gateway) -> None:
    url = await begun(gateway)
    for start in range(40):
        assert (await patched(gateway, url, start, MP4[start : start + 1]))[0] == 204
        assert len(gateway.objects.held) <= 17  # they are joined now and then
    assert (await patched(gateway, url, 40, MP4[40:]))[0] == 204
    assert media(gateway) == MP4


@pytest.mark.parametrize("share", [10, 2000, len(MP4)])
async def test_the_beginning_may_bring_bytes(gateway: Gateway, share: int) -> None:
    headers = {**PIECE, "Upload-Length": str(len(MP4))}
    status, answered, _ = await asked(gateway, "POST", UPLOADS, headers, data=MP4[:share])
    assert (status, answered["Upload-Offset"]) == (201, str(share))
    assert answered["Location"].startswith(f"{UPLOADS}/")
    if share < len(MP4):
        status, answered, _ = await patched(gateway, answered["Location"], share, MP4[share:])
        assert status == 204
    assert answered["X-Job-Id"] in gateway.jobs.held
    assert media(gateway) == MP4


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Upload-Length": "5"}, 412, "TUS_VERSION"),
        ({"Upload-Length": "5", "Tus-Resumable": "0.2.2"}, 412, "TUS_VERSION"),
        ({**TUS}, 400, "INVALID_REQUEST"),
        ({**TUS, "Upload-Length": "-5"}, 400, "INVALID_REQUEST"),
        ({**TUS, "Upload-Length": "٥"}, 400, "INVALID_REQUEST"),
        ({**TUS, "Upload-Length": "9" * 300}, 400, "INVALID_REQUEST"),
        ({**TUS, "Upload-Length": "0"}, 400, "INVALID_REQUEST"),
        ({**TUS, "Upload-Length": "100001"}, 413, "PAYLOAD_TOO_LARGE"),
        ({**TUS, "Upload-Defer-Length": "1"}, 400, "INVALID_REQUEST"),
        ({**TUS, "Upload-Length": "5", "Upload-Metadata": "filename ?"}, 400, "INVALID_REQUEST"),
        ({**TUS, "Upload-Length": "5", "Upload-Metadata": "a YQ==,a YQ=="}, 400, "INVALID_REQUEST"),
        (
            {**TUS, "Upload-Length": "5", "Upload-Metadata": metadata(selected_pipelines="nothing")},
            400,
            "PIPELINE_NOT_FOUND",
        ),
        (
            {
                **TUS,
                "Upload-Length": "5",
                "Upload-Metadata": metadata(
                    selected_pipelines="scene_detection", config='{"scene_detection": {"threshold": 1000}}'
                ),
            },
            400,
            "INVALID_CONFIG",
        ),
    ],
)
async def test_a_beginning_that_makes_no_sense_is_refused(
    gateway: Gateway, headers: dict[str, str], status: int, code: str
) -> None:
    answered, sent, body = await asked(gateway, "POST", UPLOADS, headers)
    assert (answered, body["error"]["code"]) == (status, code), body
    assert sent["Tus-Resumable"] == "1.0.0"
    assert ("Tus-Version" in sent) == (status == 412)
    assert (gateway.unfinished.held, gateway.objects.joining) == ({}, {})


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Content-Type": "video/mp4"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        ({"Content-Encoding": "gzip"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        ({"Upload-Offset": "3"}, 409, "OFFSET_MISMATCH"),
        ({"Upload-Offset": "x"}, 400, "INVALID_REQUEST"),
        ({"Tus-Resumable": "2.0.0"}, 412, "TUS_VERSION"),
        ({"Upload-Checksum": "crc8 AAAA"}, 400, "INVALID_REQUEST"),
        ({"Upload-Checksum": "sha1"}, 400, "INVALID_REQUEST"),
        ({"Upload-Checksum": "sha1 ???"}, 400, "INVALID_REQUEST"),
    ],
)
async def test_a_piece_that_does_not_fit_is_refused(
    gateway: Gateway, headers: dict[str, str], status: int, code: str
) -> None:
    url = await begun(gateway)
    answered, _, body = await patched(gateway, url, 0, MP4[:2000], **headers)
    assert (answered, body["error"]["code"]) == (status, code), body
    assert await offset_of(gateway, url) == 0
    assert (await patched(gateway, url, 0, MP4))[0] == 204


@pytest.mark.parametrize("known", [True, False])
async def test_more_than_was_declared_is_refused_and_the_rest_stays(gateway: Gateway, known: bool) -> None:
    url = await begun(gateway)

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(MP4), 500):
            yield MP4[start : start + 500]
        yield b"more"

    status, _, body = await patched(gateway, url, 0, MP4 + b"more" if known else chunks())
    assert (status, body["error"]["code"]) == (413, "UPLOAD_OVERFLOW")
    assert gateway.jobs.held == {} or await offset_of(gateway, url) == len(MP4)


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "md5", "crc32"])
async def test_checksums(gateway: Gateway, algorithm: str) -> None:
    def digest(data: bytes) -> str:
        raw = (
            zlib.crc32(data).to_bytes(4, "big")
            if algorithm == "crc32"
            else hashlib.new(algorithm, data).digest()
        )
        return f"{algorithm} {base64.b64encode(raw).decode()}"

    url = await begun(gateway)
    assert (await patched(gateway, url, 0, MP4[:300], **{"Upload-Checksum": digest(MP4[:300])}))[0] == 204
    status, _, body = await patched(
        gateway, url, 300, b"x" + MP4[301:4000], **{"Upload-Checksum": digest(MP4[300:4000])}
    )
    assert (status, body["error"]["code"]) == (460, "CHECKSUM_MISMATCH")
    assert await offset_of(gateway, url) == 300
    for start, end in ((300, 4000), (4000, len(MP4))):
        piece = MP4[start:end]
        assert (await patched(gateway, url, start, piece, **{"Upload-Checksum": digest(piece)}))[0] == 204
    assert media(gateway) == MP4


async def broken_off(gateway: Gateway, url: str, offset: int, data: bytes, *extra: str) -> None:
    """A PATCH whose connection breaks before all of it is sent."""
    reader, writer = await asyncio.open_connection(gateway.client.host, gateway.client.port)
    lines = [f"PATCH {url} HTTP/1.1", "Host: x", f"Content-Length: {len(MP4) - offset}"]
    lines += [f"{name}: {value}" for name, value in {**PIECE, "Upload-Offset": str(offset)}.items()]
    head = "\r\n".join([*lines, *extra]).encode() + b"\r\n" + KEY_LINE + b"\r\n"
    writer.write(head + data)
    await writer.drain()
    (upload,) = gateway.unfinished.held.values()
    await soon(lambda: gateway.unfinished.held[upload.id].holder is not None)
    if offset + len(data) >= offset + 1000 and not extra:
        await soon(lambda: gateway.unfinished.held[upload.id].parts != upload.parts)
    writer.transport.abort()
    await soon(lambda: gateway.unfinished.held[upload.id].holder is None)
    del reader


async def test_what_came_before_a_break_stays(gateway: Gateway) -> None:
    url = await begun(gateway)
    await broken_off(gateway, url, 0, MP4[:2300])
    assert await offset_of(gateway, url) == 2300
    await broken_off(gateway, url, 2300, MP4[2300:4100])
    assert await offset_of(gateway, url) == 4100
    assert (await patched(gateway, url, 4100, MP4[4100:]))[0] == 204
    assert media(gateway) == MP4


async def test_what_came_before_a_break_without_its_checksum_does_not_count(gateway: Gateway) -> None:
    url = await begun(gateway)
    await broken_off(gateway, url, 0, MP4[:2300], "Upload-Checksum: sha1 AAAA")
    assert await offset_of(gateway, url) == 0
    assert (await patched(gateway, url, 0, MP4))[0] == 204
    assert media(gateway) == MP4


async def test_a_request_that_hangs_gives_way(gateway: Gateway) -> None:
    url = await begun(gateway)
    sending = asyncio.Event()

    async def hanging() -> AsyncIterator[bytes]:
        yield MP4[:1500]
        await sending.wait()

    first = asyncio.create_task(patched(gateway, url, 0, hanging()))
    (upload_id,) = gateway.unfinished.held
    await soon(lambda: gateway.unfinished.held[upload_id].offset_bytes == 1000)
    status, _, body = await patched(gateway, url, 1000, MP4[1000:])
    assert status == 204, body
    assert media(gateway) == MP4
    sending.set()
    try:
        status, _, body = await first
    except aiohttp.ClientError:
        return  # the connection was closed before the client had sent all
    assert (status, body["error"]["code"]) == (423, "UPLOAD_LOCKED")


async def test_another_gateways_request_is_waited_for_until_its_lease_ends(gateway: Gateway) -> None:
    url = await begun(gateway)
    assert (await patched(gateway, url, 0, MP4[:1500]))[0] == 204
    (upload,) = gateway.unfinished.held.values()
    assert await gateway.unfinished.apply(take(upload, "another gateway", 20.0)) is not None
    for method in ("PATCH", "DELETE"):
        headers = {**PIECE, "Upload-Offset": "1500"}
        status, _, body = await asked(gateway, method, url, headers, data=b"" if method == "DELETE" else b"x")
        assert (status, body["error"]["code"]) == (423, "UPLOAD_LOCKED")
    assert await offset_of(gateway, url) == 1500
    gateway.clock.advance(21)
    assert (await patched(gateway, url, 1500, MP4[1500:3000]))[0] == 204
    # What the other one may still be sending has a number of its own.
    assert [part.number for part in gateway.unfinished.held[upload.id].parts] == [1, 3, 4]
    assert (await patched(gateway, url, 3000, MP4[3000:]))[0] == 204
    assert media(gateway) == MP4


@pytest.mark.parametrize("size", [500, 5000, 50_000])
async def test_what_is_no_media_file_is_refused_at_its_first_bytes(gateway: Gateway, size: int) -> None:
    letter = (b"This is a letter, no video. " * 2000)[:size]
    url = await begun(gateway, size)
    status, _, body = await patched(gateway, url, 0, letter)
    assert (status, body["error"]["code"]) == (415, "UNSUPPORTED_MEDIA")
    assert (await asked(gateway, "HEAD", url, TUS))[0] == 410
    status, shown = await gateway.get(url)
    assert (status, shown["status"], shown["error"]["code"]) == (200, "refused", "UNSUPPORTED_MEDIA")
    status, _, again = await patched(gateway, url, 0, letter)
    assert (status, again["error"]["message"]) == (415, body["error"]["message"])
    assert (gateway.objects.held, gateway.objects.joining, gateway.jobs.held) == ({}, {}, {})


async def test_an_upload_can_be_given_up(gateway: Gateway) -> None:
    url = await begun(gateway)
    assert (await patched(gateway, url, 0, MP4[:1500]))[0] == 204
    assert (await asked(gateway, "DELETE", url, TUS))[0] == 204
    assert (gateway.unfinished.held, gateway.objects.held, gateway.objects.joining) == ({}, {}, {})
    assert (await asked(gateway, "HEAD", url, TUS))[0] == 404
    assert (await patched(gateway, url, 1500, MP4[1500:]))[0] == 404


async def test_a_job_outlives_its_upload(gateway: Gateway) -> None:
    url = await begun(gateway)
    _, headers, _ = await patched(gateway, url, 0, MP4)
    assert (await asked(gateway, "DELETE", url, TUS))[0] == 204
    assert (await gateway.get(f"/api/v1/jobs/{headers['X-Job-Id']}"))[0] == 200
    assert media(gateway) == MP4


async def test_a_client_that_can_only_post(gateway: Gateway) -> None:
    url = await begun(gateway)
    headers = {**PIECE, "Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"}
    assert (await asked(gateway, "POST", url, headers, data=MP4[:100]))[0] == 204
    status, answered, _ = await asked(gateway, "POST", url, {**TUS, "X-HTTP-Method-Override": "HEAD"})
    assert (status, answered["Upload-Offset"]) == (200, "100")
    assert (await asked(gateway, "POST", url, TUS))[0] == 400
    assert (await asked(gateway, "POST", url, {**TUS, "X-HTTP-Method-Override": "DELETE"}))[0] == 204
    assert (await asked(gateway, "HEAD", url, TUS))[0] == 404


async def test_an_upload_expires(gateway: Gateway) -> None:
    url = await begun(gateway)
    assert (await patched(gateway, url, 0, MP4[:1500]))[0] == 204
    keeper = gateway.app[UPLOAD_KEEPER]
    await keeper.look()
    assert await offset_of(gateway, url) == 1500
    gateway.clock.advance(20 * 3600 + 1)
    assert (await asked(gateway, "HEAD", url, TUS))[0] == 410
    assert (await patched(gateway, url, 1500, MP4[1500:]))[0] == 410
    await keeper.look()
    assert (gateway.unfinished.held, gateway.objects.held, gateway.objects.joining) == ({}, {}, {})
    assert (await asked(gateway, "HEAD", url, TUS))[0] == 404


async def test_a_store_that_is_away_at_the_end_costs_nothing_but_time(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = await begun(gateway)
    copy = gateway.objects.copy

    async def away(*_: Any, **__: Any) -> None:
        raise StorageUnavailableError("The object store does not answer")

    monkeypatch.setattr(gateway.objects, "copy", away)
    status, _, body = await patched(gateway, url, 0, MP4)
    assert (status, body["error"]["code"]) == (503, "STORAGE_UNAVAILABLE")
    assert await offset_of(gateway, url) == len(MP4)
    assert (await gateway.get(url))[1]["status"] == "received"
    monkeypatch.setattr(gateway.objects, "copy", copy)
    await gateway.app[UPLOAD_KEEPER].look()
    _, headers, _ = await asked(gateway, "HEAD", url, TUS)
    assert headers["X-Job-Id"] in gateway.jobs.held
    assert media(gateway) == MP4


async def test_a_job_that_was_made_is_not_made_again(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway dies between the insert of the job and the last change of the upload."""
    url = await begun(gateway)
    apply = gateway.unfinished.apply

    async def dying(change: Any) -> Any:
        if change.after.state is UploadState.COMPLETED or change.after.holder is None:
            raise StorageUnavailableError("as good as dead")
        return await apply(change)

    monkeypatch.setattr(gateway.unfinished, "apply", dying)
    assert (await patched(gateway, url, 0, MP4))[0] == 503
    monkeypatch.setattr(gateway.unfinished, "apply", apply)
    (job_id,) = gateway.jobs.held
    keeper = gateway.app[UPLOAD_KEEPER]
    await keeper.look()
    assert (await gateway.get(url))[1]["status"] == "received"  # it may still be at work
    gateway.clock.advance(21)
    await keeper.look()
    assert (await gateway.get(url))[1]["job_id"] == job_id
    assert list(gateway.jobs.held) == [job_id]
    assert media(gateway) == MP4


async def test_open_uploads_are_limited_and_count_in_the_quota() -> None:
    resumable = ResumableSettings.model_construct(part_bytes=1000, max_open=2)
    limits = LimitSettings(stored_bytes=2 * len(MP4) + 10)
    async with Gateway(resumable=resumable, limits=limits).running() as gateway:
        first = await begun(gateway)
        headers = {**TUS, "Upload-Length": str(len(MP4) + 11)}
        status, _, body = await asked(gateway, "POST", UPLOADS, headers)
        assert (status, body["error"]["code"]) == (429, "QUOTA_EXCEEDED")
        await begun(gateway, 10)
        status, _, body = await asked(gateway, "POST", UPLOADS, {**TUS, "Upload-Length": "10"})
        assert (status, body["error"]["detail"]) == (429, {"quota": "open_uploads", "limit": 2})
        assert (await patched(gateway, first, 0, MP4))[0] == 204
        await begun(gateway, 10)
