"""The HTTP client against a real server on loopback."""

from __future__ import annotations

import json
import socket
import tracemalloc

import pytest

from frameloom.client.api import AsyncClient
from frameloom.client.errors import ExitCode, RefusedError, ServerError, UnreachableError, UsageError
from frameloom.client.sync import Client
from frameloom.client.transport import server_address


async def test_a_video_is_submitted_with_its_fields_before_the_file(gateway, video):
    counts: list[int] = []
    async with AsyncClient(gateway.url) as client:
        job = await client.submit(
            video, pipelines=["face_analysis"], config={"face_analysis": {"a": 1}}, on_bytes=counts.append
        )
    assert job.status == "pending"
    assert job.selected_pipelines == ("face_analysis",)
    assert gateway.uploads == [(100_000, "clip.mp4")]
    assert counts == sorted(counts)
    assert counts[-1] == 100_000


@pytest.mark.parametrize("upload", ["form", "tus", "auto"])
async def test_an_upload_is_never_whole_in_memory(gateway, tmp_path, upload):
    large = tmp_path / "large.mp4"
    size = 192 << 20
    with large.open("wb") as out:
        out.truncate(size)
    tracemalloc.start()
    async with AsyncClient(gateway.url) as client:
        await client.submit(large, upload=upload)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert gateway.uploads == [(size, "large.mp4")]
    assert peak < 24 << 20


async def test_a_file_that_shrinks_on_the_way_is_the_users_fault(gateway, video):
    def cut(count: int) -> None:
        with video.open("r+b") as out:
            out.truncate(10)

    async with AsyncClient(gateway.url) as client:
        with pytest.raises(UsageError, match="became shorter"):
            await client.submit(video, on_bytes=cut)


async def test_a_file_that_grows_is_sent_as_long_as_it_was(gateway, video):
    def grow(count: int) -> None:
        with video.open("ab") as out:
            out.write(b"more")

    async with AsyncClient(gateway.url) as client:
        await client.submit(video, on_bytes=grow)
    assert gateway.uploads == [(100_000, "clip.mp4")]


async def test_a_refusal_carries_the_servers_code_sentence_and_hint(gateway, video):
    envelope = {
        "error": {
            "code": "INVALID_CONFIG",
            "message": "threshold is 200",
            "hint": "0..100",
            "detail": {"a": 1},
        },
        "detail": "threshold is 200",
    }
    gateway.faults.refuse_submit = (400, envelope)
    async with AsyncClient(gateway.url) as client:
        with pytest.raises(RefusedError) as caught:
            await client.submit(video)
    error = caught.value
    assert (error.code, error.message, error.hint) == ("INVALID_CONFIG", "threshold is 200", "0..100")
    assert (error.status, error.detail, error.exit_code) == (400, {"a": 1}, ExitCode.REFUSED)


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (
            422,
            {"detail": [{"loc": ["query", "page"], "msg": "too small"}]},
            RefusedError,
            "page: too small",
        ),
        (
            422,
            {"detail": [{"loc": ["body", "scopes", 1], "msg": "wrong"}, {"loc": ["body"], "msg": "empty"}]},
            RefusedError,
            r"^scopes\[1\]: wrong; empty$",
        ),
        (404, {"detail": "Not Found"}, RefusedError, "Not Found"),
        (413, [], RefusedError, "413"),
        (503, {"error": {"code": "DATABASE_UNAVAILABLE", "message": "no db"}}, ServerError, "no db"),
        (500, "text", ServerError, "500"),
    ],
)
async def test_every_shape_of_an_error_becomes_one_sentence(gateway, video, status, body, kind, words):
    gateway.faults.refuse_submit = (status, body)
    async with AsyncClient(gateway.url) as client:
        with pytest.raises(kind, match=words) as caught:
            await client.submit(video)
    assert "\n" not in caught.value.message


async def test_a_server_that_is_not_there_is_unreachable():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        async with AsyncClient(f"http://127.0.0.1:{taken.getsockname()[1]}") as client:
            with pytest.raises(UnreachableError, match="No server answers"):
                await client.jobs_page()


async def test_an_answer_that_is_no_job_is_a_server_fault(gateway):
    gateway.jobs["odd"] = {"status": "pending"}
    async with AsyncClient(gateway.url) as client:
        with pytest.raises(ServerError, match=r"can not be understood: id"):
            await client.job("odd")


async def test_a_proxy_of_the_environment_is_not_asked_for_loopback(gateway, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    async with AsyncClient(gateway.url) as client:
        assert (await client.health())["status"] == "ok"


async def test_the_key_goes_as_a_bearer_token(gateway):
    async with AsyncClient(gateway.url, api_key="va_secret") as client:
        await client.jobs_page()
    assert gateway.seen[-1][2]["Authorization"] == "Bearer va_secret"


async def test_an_id_can_not_leave_its_place_in_the_path(gateway):
    async with AsyncClient(gateway.url) as client:
        with pytest.raises(RefusedError):
            await client.job("../health")
    assert gateway.seen[-1][1] == "/api/v1/jobs/..%2Fhealth"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:18011", "http://127.0.0.1:18011"),
        ("https://host/", "https://host"),
        (" http://host/base/ ", "http://host/base"),
    ],
)
def test_an_address_is_made_whole(text, address):
    assert server_address(text) == (address, None)


@pytest.mark.parametrize("text", ["ftp://host", "http://", "http://host:port", ""])
def test_what_is_no_address_is_wrong_usage(text):
    with pytest.raises(UsageError, match="no server address"):
        server_address(text)


def test_plain_code_gets_the_same(gateway, video, tmp_path):
    with Client(gateway.url) as client:
        job = client.submit(video, pipelines=["face_analysis"])
        kinds = [item.type for item in client.events(job.id)]
        results = client.wait(job.id)
        files = client.download(job.id, tmp_path / "out")
    assert kinds[0] == "job.submitted"
    assert kinds[-1] == "job.completed"
    assert results.succeeded
    assert json.loads(files[0].path.read_bytes())["annotations"]
    assert files[0].verified


def test_plain_code_raises_the_same(gateway):
    with Client(gateway.url) as client, pytest.raises(RefusedError, match="Job nobody not found"):
        client.job("nobody")
    client.close()
