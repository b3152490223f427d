"""Uploads: in any order of parts, within limits, and without a trace when refused."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from gateway_kit import KEY_LINE, MP4, Gateway, form, offer, soon, tiny_video

from frameloom.common.background import set_within
from frameloom.common.documents import JobDocument
from frameloom.common.errors import DatabaseUnavailableError, StorageUnavailableError
from frameloom.gateway.settings import GatewaySettings, UploadSettings

BOUNDARY = {"Content-Type": "multipart/form-data; boundary=B"}
FILE_HEAD = b'--B\r\nContent-Disposition: form-data; name="video"; filename="v.mp4"\r\n'


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with Gateway().running() as made:
        yield made


def nothing_left(gateway: Gateway) -> bool:
    return not gateway.objects.held and not gateway.jobs.held


@pytest.mark.parametrize("video_first", [True, False])
async def test_a_job_is_accepted_whatever_comes_first(gateway: Gateway, video_first: bool) -> None:
    fields = {"selected_pipelines": " face_analysis,,scene_detection, face_analysis", "config": '{"x": 1}'}
    status, body = await gateway.post(form(fields=fields, video_first=video_first))
    assert status == 201
    assert body["status"] == "pending"
    assert body["queue_position"] == 1
    assert body["selected_pipelines"] == ["face_analysis", "scene_detection"]
    assert body["config"] == {"x": 1}
    assert body["video_filename"] == "clip.mp4"
    assert body["video_path"].endswith("/clip.mp4")
    assert body["created_at"].endswith("Z")
    stored = gateway.jobs.held[body["id"]]
    assert stored.media.sha256 == hashlib.sha256(MP4).hexdigest()
    assert stored.media.size_bytes == body["video_size_bytes"] == len(MP4)
    assert gateway.objects.held == {f"media/{body['id']}/source": (MP4, "video/mp4")}
    await soon(lambda: gateway.published.on("events"))
    (event,) = gateway.published.on("events")
    assert event.subject == body["id"]


async def test_without_the_slash_the_answer_is_200(gateway: Gateway) -> None:
    status, body = await gateway.post(form(), "/api/v1/jobs")
    assert (status, body["status"]) == (200, "pending")


async def test_the_default_pipelines_are_those_that_are_offered(gateway: Gateway) -> None:
    _, body = await gateway.post(form())
    assert body["selected_pipelines"] == ["scene_detection"]


@pytest.mark.parametrize(
    ("video", "fields", "status", "code"),
    [
        (b"", {}, 400, "INVALID_REQUEST"),
        (b"some text " * 600, {}, 415, "UNSUPPORTED_MEDIA"),
        (MP4 + b"\0" * 100_000, {}, 413, "PAYLOAD_TOO_LARGE"),
        (MP4, {"config": "[1]"}, 400, "INVALID_REQUEST"),
        (MP4, {"config": "{"}, 400, "INVALID_REQUEST"),
        (MP4, {"config": '{"threshold": 1000}'}, 400, "INVALID_CONFIG"),
        (MP4, {"config": "x" * 2_000_000}, 413, "PAYLOAD_TOO_LARGE"),
        (MP4, {"selected_pipelines": "scene_detection,nope"}, 400, "PIPELINE_NOT_FOUND"),
        (MP4, {"selected_pipelines": "person_tracking"}, 400, "PIPELINE_UNAVAILABLE"),
        (MP4, {"selected_pipelines": "broken"}, 400, "PIPELINE_UNAVAILABLE"),
    ],
)
@pytest.mark.parametrize("video_first", [True, False])
async def test_what_is_refused_leaves_nothing(
    gateway: Gateway, video: bytes, fields: dict[str, str], status: int, code: str, video_first: bool
) -> None:
    answered, body = await gateway.post(form(video, fields=fields, video_first=video_first))
    assert (answered, body["error"]["code"]) == (status, code)
    assert body["detail"] == body["error"]["message"]
    assert body["error"]["timestamp"].endswith("Z")
    assert nothing_left(gateway)


async def test_the_length_is_known_from_the_start(gateway: Gateway) -> None:
    _, body = await gateway.post(form(tiny_video(frames=50)))
    assert body["video_duration_seconds"] == 2
    stored = gateway.jobs.held[body["id"]]
    assert stored.facts is not None
    assert (stored.facts.video_codec, stored.facts.width, stored.facts.fps) == ("mpeg4", 64, 25.0)


async def test_a_file_that_no_chosen_pipeline_can_use_is_refused(gateway: Gateway) -> None:
    both = offer("both", modalities=("audio", "video"))
    await gateway.fleet.offer([offer("listening", modalities=("audio",)), both])
    status, body = await gateway.post(form(fields={"selected_pipelines": "listening"}))
    assert (status, body["error"]["code"]) == (400, "MEDIA_NOT_USABLE")
    assert body["error"]["message"] == "The file clip.mp4 has only a picture in it, and listening needs sound"
    assert body["error"]["detail"] == {"has_video": True, "has_audio": False, "pipelines": ["listening"]}
    assert nothing_left(gateway)
    status, _ = await gateway.post(form(fields={"selected_pipelines": "listening,both"}))
    assert status == 201


async def test_unknown_pipelines_are_answered_with_the_known_ones(gateway: Gateway) -> None:
    _, body = await gateway.post(form(fields={"selected_pipelines": "nope"}))
    assert body["error"]["detail"] == {"unknown": ["nope"], "known": ["face_analysis", "scene_detection"]}


@pytest.mark.parametrize("data", [form(None, fields={"config": "{}"}), b"", {"video": "x"}])
async def test_a_missing_video_is_told_as_fastapi_does(gateway: Gateway, data: Any) -> None:
    status, body = await gateway.post(data)
    assert status == 422
    assert body == {
        "detail": [{"type": "missing", "loc": ["body", "video"], "msg": "Field required", "input": None}]
    }


async def test_a_video_that_is_no_file_is_told_as_fastapi_does(gateway: Gateway) -> None:
    status, body = await gateway.post(form(None, fields={"video": "text"}))
    assert (status, body["detail"][0]["loc"]) == (422, ["body", "video"])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"no form at all", 400),
        (FILE_HEAD + b"\r\n" + MP4, 400),
        (FILE_HEAD + b"\r\n" + MP4 + b"\r\n" + FILE_HEAD + b"\r\n" + MP4 + b"\r\n--B--\r\n", 400),
        (FILE_HEAD + b"Content-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--B--\r\n", 415),
        (FILE_HEAD + b"Content-Encoding: gzip\r\n\r\nAAAA\r\n--B--\r\n", 415),
        (b"".join(b'--B\r\nContent-Disposition: form-data; name="x"\r\n\r\ny\r\n' for _ in range(40)), 400),
    ],
)
async def test_a_form_that_can_not_be_read_is_refused(gateway: Gateway, body: bytes, status: int) -> None:
    answered, told = await gateway.post(body, headers=BOUNDARY)
    assert answered == status, told
    assert told["error"]["message"]
    assert nothing_left(gateway)


async def test_an_identity_encoding_is_no_encoding(gateway: Gateway) -> None:
    body = FILE_HEAD + b"Content-Transfer-Encoding: binary\r\n\r\n" + MP4 + b"\r\n--B--\r\n"
    status, _ = await gateway.post(body, headers=BOUNDARY)
    assert status == 201


async def test_a_compressed_body_is_refused_unread(gateway: Gateway) -> None:
    status, body = await gateway.post(b"xx", headers={**BOUNDARY, "Content-Encoding": "gzip"})
    assert (status, body["error"]["code"]) == (415, "UNSUPPORTED_MEDIA")


async def test_a_length_over_the_limit_is_refused_before_the_body_is_sent(gateway: Gateway) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.client.port)
    writer.write(
        b"POST /api/v1/jobs/ HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=B\r\n"
        + KEY_LINE
        + b"Content-Length: 99999999999\r\nExpect: 100-continue\r\n\r\n"
    )
    async with asyncio.timeout(5):
        assert (await reader.readline()).split()[1] == b"413"
    writer.close()


@pytest.fixture
async def unheld() -> AsyncIterator[Gateway]:
    """A gateway where every upload lies in quarantine until it has been examined."""
    async with Gateway(uploads=UploadSettings(held_bytes=0)).running() as made:
        yield made


async def test_a_client_that_goes_away_leaves_nothing(unheld: Gateway) -> None:
    gateway = unheld
    reading = asyncio.Event()
    released = asyncio.Event()

    async def put_stream(key: str, chunks: AsyncIterator[bytes], _: str) -> int:
        gateway.objects.held[key] = (b"half", "")
        reading.set()
        try:
            return sum([len(chunk) async for chunk in chunks])
        finally:
            released.set()

    gateway.objects.put_stream = put_stream  # type: ignore[assignment, method-assign]
    _, writer = await asyncio.open_connection("127.0.0.1", gateway.client.port)
    writer.write(
        b"POST /api/v1/jobs/ HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=B\r\n"
        + KEY_LINE
        + b"Content-Length: 90000\r\n\r\n"
        + FILE_HEAD
        + b"\r\n"
        + MP4 * 4
    )
    for _ in range(20):  # the reader of forms hands out a piece when the next one comes
        writer.write(bytes(1000))
        if await set_within(reading, 0.1):
            break
    writer.close()
    async with asyncio.timeout(5):
        await released.wait()
    await soon(lambda: nothing_left(gateway))


async def test_a_client_that_falls_silent_is_told() -> None:
    settings = GatewaySettings(body_idle_timeout_seconds=0.1)
    async with Gateway(settings).running() as gateway:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.client.port)
        writer.write(
            b"POST /api/v1/jobs/ HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=B\r\n"
            + KEY_LINE
            + b"Content-Length: 90000\r\n\r\n"
            + FILE_HEAD
            + b"\r\n"
            + MP4
        )
        async with asyncio.timeout(5):
            assert (await reader.readline()).split()[1] == b"408"
        writer.close()
        assert nothing_left(gateway)


@pytest.mark.parametrize("call", ["put", "put_stream", "copy"])
async def test_a_store_that_is_away_is_a_503_to_try_again(
    gateway: Gateway, unheld: Gateway, call: str
) -> None:
    async def away(*_: Any, **__: Any) -> int:
        raise StorageUnavailableError("The object store does not answer")

    gateway = gateway if call == "put" else unheld
    setattr(gateway.objects, call, away)
    async with gateway.client.post("/api/v1/jobs/", data=form()) as answer:
        assert answer.status == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert (await answer.json())["error"]["code"] == "STORAGE_UNAVAILABLE"
    assert nothing_left(gateway)


@pytest.mark.parametrize("stored", [True, False])
async def test_an_insert_without_an_answer_counts_if_it_was_done(gateway: Gateway, stored: bool) -> None:
    async def insert(job: JobDocument) -> None:
        if stored:
            gateway.jobs.held[job.id] = job
        raise DatabaseUnavailableError("no answer in time")

    gateway.jobs.insert = insert  # type: ignore[assignment, method-assign]
    status, _ = await gateway.post(form())
    assert status == (201 if stored else 503)
    assert bool(gateway.objects.held) is stored


async def test_a_fault_of_ours_is_told_without_its_insides(gateway: Gateway) -> None:
    async def insert(_: JobDocument) -> None:
        raise RuntimeError("secret insides")

    gateway.jobs.insert = insert  # type: ignore[assignment, method-assign]
    status, body = await gateway.post(form())
    assert (status, body["error"]["code"]) == (500, "INTERNAL_SERVER_ERROR")
    assert "secret" not in str(body)
    assert nothing_left(gateway)


async def test_more_uploads_than_there_is_room_for_wait_their_turn() -> None:
    settings = GatewaySettings(max_concurrent_uploads=1)
    async with Gateway(settings).running() as gateway:
        answers = await asyncio.gather(*(gateway.post(form()) for _ in range(5)))
        assert [status for status, _ in answers] == [201] * 5
