"""Large files by other ways, over all services: resumable uploads with a real client of the protocol."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from tusclient.client import TusClient
from tusclient.exceptions import TusUploadFailed
from yarl import URL

from support.deployment import SERVICES, Deployment
from support.grounds import Ground

MIB = 1024**2
PIECE = {"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream"}


@pytest.fixture(scope="module")
def large(video: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound video of 21 MiB: most of it is a box that players skip."""
    free = 20 * MIB
    path = tmp_path_factory.mktemp("large") / "large clip.mp4"
    path.write_bytes(video.read_bytes() + free.to_bytes(4, "big") + b"free" + b"\0" * (free - 8) + b"")
    return path


def client(deployment: Deployment, gateway: str = "gateway") -> TusClient:
    return TusClient(
        f"{deployment.url_of(gateway)}/api/v1/uploads",
        headers={"Authorization": f"Bearer {deployment.api_key}"},
    )


def wanted(path: Path) -> dict[str, str]:
    return {"filename": path.name, "selected_pipelines": "scene_detection", "config": "{}"}


async def shown(deployment: Deployment, url: str) -> dict[str, Any]:
    return await deployment.get("/" + url.split("/", 3)[3])


async def annotated(deployment: Deployment, job_id: str, path: Path) -> None:
    """The job ends well, and its media are the file; nothing is left of the upload."""
    job = await deployment.ended(job_id)
    assert job["status"] == "completed", job
    document, _ = await deployment.documents(job_id)
    assert document.media.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert document.media.filename == path.name
    assert await deployment.keys("uploads/") == []


@pytest.mark.parametrize("checksum", [False, True])
async def test_a_client_of_the_protocol_uploads_in_pieces(
    shared: Deployment, large: Path, checksum: bool
) -> None:
    uploader = client(shared).uploader(
        str(large), chunk_size=6 * MIB, metadata=wanted(large), upload_checksum=checksum
    )
    await asyncio.to_thread(uploader.upload, 7 * MIB)
    half = await shown(shared, uploader.url)
    assert (half["status"], half["offset_bytes"], half["job_id"]) == ("open", uploader.offset, None)
    # Another client, which knows the address only, goes on from what the server tells.
    other = client(shared).uploader(
        str(large), url=uploader.url, chunk_size=MIB * 5 + 1, upload_checksum=checksum
    )
    assert other.offset == uploader.offset
    await asyncio.to_thread(other.upload)
    job_id = other.request.response_headers["x-job-id"]
    assert (await shown(shared, uploader.url))["job_id"] == job_id
    await annotated(shared, job_id, large)


async def test_what_is_no_video_is_refused_and_removed(shared: Deployment, tmp_path: Path) -> None:
    letter = tmp_path / "letter.mp4"
    letter.write_text("This is a letter, not a video.\n" * 40)
    uploader = client(shared).uploader(str(letter), chunk_size=MIB, metadata=wanted(letter))
    with pytest.raises(TusUploadFailed) as refused:
        await asyncio.to_thread(uploader.upload)
    assert refused.value.status_code == 415
    assert (await shown(shared, uploader.url))["error"]["code"] == "UNSUPPORTED_MEDIA"
    assert await shared.keys("uploads/") == []


async def test_a_gateway_dies_in_the_middle_and_another_goes_on(
    ground: Ground, tmp_path: Path, large: Path
) -> None:
    deployment = Deployment(ground, tmp_path, {"FRAMELOOM_RESUMABLE_LEASE_SECONDS": "2"})
    body = large.read_bytes()
    try:
        await deployment.start("gateway", "gateway-2", "scheduler", "results", "worker")
        await deployment.ready()
        uploader = client(deployment).uploader(str(large), chunk_size=6 * MIB, metadata=wanted(large))
        uploader.set_url(await asyncio.to_thread(uploader.create_url))
        path = "/" + uploader.url.split("/", 3)[3]
        elsewhere = deployment.url_of("gateway-2") + path

        async def slowly() -> AsyncIterator[bytes]:
            for start in range(0, 12 * MIB, MIB):
                yield body[start : start + MIB]
            await asyncio.sleep(60)  # until the gateway dies

        async def sent() -> None:
            headers = {**PIECE, "Upload-Offset": "0"}
            async with deployment.http.patch(uploader.url, data=slowly(), headers=headers):
                pytest.fail("a dead gateway answered")

        sending = asyncio.create_task(sent())
        async with asyncio.timeout(30):
            while True:
                async with deployment.http.head(elsewhere) as answer:
                    if int(answer.headers["Upload-Offset"]) > 0:
                        break
                await asyncio.sleep(0.05)
        await deployment.kill("gateway")
        with pytest.raises(aiohttp.ClientError):
            await sending
        other = client(deployment, "gateway-2").uploader(
            str(large), url=elsewhere, chunk_size=6 * MIB, retries=20, retry_delay=1
        )
        assert other.offset == 8 * MIB  # the whole part that had come
        await asyncio.to_thread(other.upload)
        await deployment.start("gateway")
        await deployment.ready()
        await annotated(deployment, other.request.response_headers["x-job-id"], large)
    finally:
        await deployment.close()


async def begun(deployment: Deployment, path: Path, **changes: Any) -> dict[str, Any]:
    """A direct upload, and where its bytes are to be written."""
    asked = {
        "filename": path.name,
        "size_bytes": path.stat().st_size,
        "selected_pipelines": ["scene_detection"],
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        **changes,
    }
    async with deployment.http.post(f"{deployment.base_url}/api/v1/uploads/direct", json=asked) as answer:
        assert answer.status == 201, await answer.text()
        return dict(await answer.json())


async def put(url: str, body: bytes) -> str:
    """Writes to an address, as a client without any credentials; answers the ETag."""
    async with (
        aiohttp.ClientSession() as stranger,
        stranger.put(URL(url, encoded=True), data=body) as answer,
    ):
        assert answer.status == 200, await answer.text()
        return answer.headers["ETag"]


async def completed(
    deployment: Deployment, direct: dict[str, Any], **body: Any
) -> tuple[int, dict[str, Any]]:
    url = f"{deployment.base_url}/api/v1/uploads/{direct['upload_id']}/complete"
    async with deployment.http.post(url, json=body) as answer:
        return answer.status, await answer.json()


async def test_a_file_is_written_straight_into_the_store(shared: Deployment, large: Path) -> None:
    direct = await begun(shared, large)
    assert direct["method"] == "put"
    assert (await completed(shared, direct))[0] == 409
    await put(direct["url"], large.read_bytes())
    status, job = await completed(shared, direct)
    assert status == 201, job
    await annotated(shared, job["id"], large)
    await put(direct["url"], b"late")  # the address still works, and changes nothing of the job
    document, _ = await shared.documents(job["id"])
    assert document.media.key == f"media/{job['id']}/source"
    status, again = await completed(shared, direct)
    assert (status, again["id"]) == (201, job["id"])
    async with shared.http.delete(f"{shared.base_url}/api/v1/uploads/{direct['upload_id']}") as answer:
        assert answer.status == 204
    assert await shared.keys("uploads/") == []


async def test_a_file_is_written_in_parts(ground: Ground, tmp_path: Path, large: Path) -> None:
    deployment = Deployment(ground, tmp_path, {"FRAMELOOM_RESUMABLE_DIRECT_PART_BYTES": str(6 * MIB)})
    try:
        await deployment.start(*SERVICES)
        await deployment.ready()
        direct = await begun(deployment, large)
        assert (direct["method"], direct["part_count"]) == ("multipart", 4)
        body, parts = large.read_bytes(), []
        for part in reversed(direct["parts"]):
            start = (part["number"] - 1) * direct["part_size_bytes"]
            etag = await put(part["url"], body[start : start + part["size_bytes"]])
            parts.append({"number": part["number"], "etag": etag})
        status, refused = await completed(deployment, direct, parts=parts[1:])
        assert (status, refused["error"]["code"]) == (409, "UPLOAD_INCOMPLETE")
        status, job = await completed(deployment, direct, parts=parts)
        assert status == 201, job
        await annotated(deployment, job["id"], large)
    finally:
        await deployment.close()


async def test_a_file_is_fetched_from_an_address(ground: Ground, tmp_path: Path, large: Path) -> None:
    async def given(_: web.Request) -> web.StreamResponse:
        return web.FileResponse(large)

    site = web.Application()
    site.router.add_get("/{name}", given)
    async with TestServer(site) as server:
        allowed = {
            "FRAMELOOM_GATEWAY_URL_INGESTION": "true",
            "FRAMELOOM_GATEWAY_URL_HTTP_HOSTS": "127.0.0.1",
            "FRAMELOOM_GATEWAY_URL_NETWORKS": "127.0.0.1/32",
            "FRAMELOOM_GATEWAY_URL_PORTS": str(server.port),
        }
        deployment = Deployment(ground, tmp_path, allowed)
        try:
            await deployment.start(*SERVICES)
            await deployment.ready()
            jobs = f"{deployment.base_url}/api/v1/jobs/"
            body = {"selected_pipelines": ["scene_detection"]}
            named = {**body, "video_url": str(server.make_url(f"/{large.name}"))}
            async with deployment.http.post(jobs, json=named) as answer:
                assert answer.status == 201, await answer.text()
                job = await answer.json()
            await annotated(deployment, job["id"], large)
            for inside in ("https://127.0.0.2/", "https://169.254.169.254/", "https://localhost:22/"):
                async with deployment.http.post(jobs, json={**body, "video_url": inside}) as answer:
                    refused = await answer.json()
                assert (answer.status, refused["error"]["code"]) == (400, "VIDEO_URL_REFUSED"), inside
        finally:
            await deployment.close()
