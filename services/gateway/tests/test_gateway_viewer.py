"""The viewer's mount: its files, its page for every path of its own, and what its page may load."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from gateway_kit import Gateway

from frameloom.common.errors import ConfigurationError
from frameloom.gateway.http.viewer import ViewerCopy
from frameloom.gateway.settings import ViewerSettings

PAGE = """<!doctype html><html><head><title>Viewer</title>
<link rel="stylesheet" href="/viewer/assets/index-Ab12_xyz.css"></head>
<body><script type="module" src="/viewer/assets/index-Ck2xY_8a.js"></script></body></html>"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "dist"
    (made / "assets").mkdir(parents=True)
    (made / "index.html").write_text(PAGE)
    (made / "assets" / "index-Ck2xY_8a.js").write_text("document.title = 'été'", encoding="utf-8")
    (made / "assets" / "index-Ab12_xyz.css").write_text("body { margin: 0 }")
    (made / "assets" / "zip.wasm").write_bytes(b"\0asm")
    (made / "video-annotation.png").write_bytes(b"\x89PNG")
    (tmp_path / "secret.txt").write_text("secret")
    return made


@pytest.fixture
async def gateway(folder: Path) -> AsyncIterator[Gateway]:
    async with Gateway(viewer=ViewerSettings(dir=folder)).running() as made:
        yield made


@pytest.mark.parametrize("path", ["/viewer/", "/viewer/create/jobs", "/viewer/view/0198.mp4", "/viewer/a/b/"])
async def test_paths_of_the_viewer_itself_get_its_page(gateway: Gateway, path: str) -> None:
    async with gateway.client.get(path) as answer:
        assert (answer.status, await answer.text()) == (200, PAGE)
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert answer.headers["Cache-Control"] == "no-cache"
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")


@pytest.mark.parametrize(
    ("path", "kind", "caching"),
    [
        ("assets/index-Ck2xY_8a.js", "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"),
        ("assets/index-Ab12_xyz.css", "text/css; charset=utf-8", "public, max-age=31536000, immutable"),
        ("assets/zip.wasm", "application/wasm", "no-cache"),
        ("video-annotation.png", "image/png", "no-cache"),
    ],
)
async def test_files_have_their_types_and_last_as_their_names_say(
    gateway: Gateway, folder: Path, path: str, kind: str, caching: str
) -> None:
    async with gateway.client.get(f"/viewer/{path}") as answer:
        assert await answer.read() == (folder / path).read_bytes()
        assert (answer.headers["Content-Type"], answer.headers["Cache-Control"]) == (kind, caching)
        etag = answer.headers["ETag"]
    async with gateway.client.get(f"/viewer/{path}", headers={"If-None-Match": etag}) as answer:
        assert answer.status == 304
    async with gateway.client.head(f"/viewer/{path}") as answer:
        assert (answer.status, answer.headers["Content-Type"]) == (200, kind)


async def test_without_the_slash_it_is_sent_there(gateway: Gateway) -> None:
    async with gateway.client.get("/viewer?a=1", allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (307, "/viewer/?a=1")


async def test_a_part_of_an_older_build_is_not_answered_with_the_page(gateway: Gateway) -> None:
    status, body = await gateway.get("/viewer/assets/index-OlderOne.js")
    assert (status, body["error"]["code"]) == (404, "VIEWER_NOT_FOUND")


@pytest.mark.parametrize("path", ["/viewer/%2e%2e/secret.txt", "/viewer/..%2fsecret.txt", "/viewer/link.txt"])
async def test_nothing_outside_the_folder_is_served(gateway: Gateway, folder: Path, path: str) -> None:
    (folder / "link.txt").symlink_to(folder.parent / "secret.txt")
    async with gateway.client.get(path) as answer:
        assert "secret" not in await answer.text()


@pytest.mark.parametrize("path", ["/viewer", "/viewer/", "/viewer/create"])
async def test_without_a_copy_it_says_how_to_have_one(path: str) -> None:
    async with Gateway().running() as gateway:
        status, body = await gateway.get(path)
    assert (status, body["error"]["code"]) == (404, "VIEWER_NOT_FOUND")
    assert "FRAMELOOM_GATEWAY_VIEWER_DIR" in body["error"]["hint"]
    assert body["detail"] == body["error"]["message"]


def test_a_folder_without_a_viewer_ends_the_start(tmp_path: Path) -> None:
    for wrong in (tmp_path / "absent", tmp_path):
        with pytest.raises(ConfigurationError, match="holds no viewer") as caught:
            ViewerCopy(wrong)
        assert "--base=/viewer/" in str(caught.value.hint)


def test_a_viewer_built_for_another_place_ends_the_start(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text('<script type="module" src="/assets/index-1.js"></script>')
    with pytest.raises(ConfigurationError, match="another place than /viewer/: its page asks for /assets/"):
        ViewerCopy(tmp_path)


@pytest.mark.parametrize("path", ["/viewer/create/jobs?a=1", "/viewer-connect?token=x"])
async def test_at_localhost_it_is_sent_to_where_the_viewer_will_ask(gateway: Gateway, path: str) -> None:
    port = gateway.client.port
    headers = {"Host": f"localhost:{port}"}
    async with gateway.client.get(path, headers=headers, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (307, f"http://127.0.0.1:{port}{path}")
    async with gateway.client.get(
        "/viewer/assets/zip.wasm", headers=headers, allow_redirects=False
    ) as answer:
        assert answer.status == 200
    for host in ("localhost.example.org", "localhost:1:2", "xlocalhost"):
        async with gateway.client.get(path, headers={"Host": host}, allow_redirects=False) as answer:
            assert answer.status == 200


async def test_the_page_may_ask_this_server_only(gateway: Gateway) -> None:
    async with gateway.client.get("/viewer/") as answer:
        policy = answer.headers["Content-Security-Policy"]
    assert "connect-src 'self' data: blob:;" in policy
    assert "http" not in policy
