"""What is the same on every route: slashes, errors without an envelope, keys, origins, pages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from support.deployment import SERVICES, Deployment, form
from support.grounds import Grounds

_NO_KEY = "API key required. Set AUTH_REQUIRED=false to disable authentication."
_BAD_KEY = "Invalid or expired token"


@pytest.fixture(scope="module")
async def plain(all_grounds: Grounds, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Deployment]:
    """An installation as it is by default, on the embedded servers: nothing here depends on them."""
    deployment = Deployment(await all_grounds.get("embedded"), tmp_path_factory.mktemp("manners"))
    try:
        await deployment.start(*SERVICES)
        await deployment.ready()
        yield deployment
    finally:
        await deployment.close()


async def asked(deployment: Deployment, method: str, path: str, **options: Any) -> tuple[int, Any, Any]:
    """A request without a key, unless one is given."""
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, deployment.base_url + path, allow_redirects=False, **options) as answer,
    ):
        body = await answer.json() if answer.content_type == "application/json" else await answer.text()
        return answer.status, body, answer.headers


async def with_key(deployment: Deployment, method: str, path: str, **options: Any) -> tuple[int, Any, Any]:
    """The same with the deployment's key."""
    async with deployment.http.request(
        method, deployment.base_url + path, allow_redirects=False, **options
    ) as answer:
        body = await answer.json() if answer.content_type == "application/json" else await answer.text()
        return answer.status, body, answer.headers


@pytest.mark.parametrize("path", ["/api/v1/jobs", "/api/v1/jobs/", "/api/v1/pipelines", "/api/v1/pipelines/"])
async def test_both_forms_answer(plain: Deployment, path: str) -> None:
    assert (await with_key(plain, "GET", path))[0] == 200


@pytest.mark.parametrize(
    "path", ["/health/", "/api/v1/health/", "/api/v1/system/health/", "/api/v1/jobs/some/results/"]
)
async def test_a_slash_too_many_leads_on(plain: Deployment, path: str) -> None:
    status, _, headers = await with_key(plain, "GET", path)
    assert status == 307
    assert headers["Location"].endswith(path.rstrip("/"))


async def test_a_submission_answers_by_its_slash(plain: Deployment, video: Path) -> None:
    for path, status in (("/api/v1/jobs", 200), ("/api/v1/jobs/", 201)):
        data = form(video, "scene_detection", None, None)
        assert (await with_key(plain, "POST", path, data=data))[0] == status


async def test_unknown_routes_and_methods_have_no_envelope(plain: Deployment) -> None:
    for path in ("/", "/nothing", "/api/v1/nothing"):
        assert (await asked(plain, "GET", path))[:2] == (404, {"detail": "Not Found"})
    status, body, headers = await asked(plain, "PUT", "/api/v1/jobs/")
    assert (status, body) == (405, {"detail": "Method Not Allowed"})
    assert "POST" in headers["Allow"]


@pytest.mark.parametrize("headers", [{}, {"Authorization": ""}, {"Authorization": "Basic dXNlcjpwdw=="}])
async def test_without_a_key(plain: Deployment, headers: dict[str, str]) -> None:
    status, body, _ = await asked(plain, "GET", "/api/v1/jobs/", headers=headers)
    assert (status, body["detail"]) == (401, _NO_KEY)
    assert body["error"]["code"] == "HTTP_ERROR"


@pytest.mark.parametrize("key", ["dev-token", "test-token", "va_" + "x" * 43, "x", "va_"])
async def test_with_a_wrong_key(plain: Deployment, key: str) -> None:
    headers = {"Authorization": f"Bearer {key}"}
    status, body, _ = await asked(plain, "GET", "/api/v1/jobs/", headers=headers)
    assert (status, body["detail"]) == (401, _BAD_KEY)


async def test_the_key_is_looked_at_before_the_body(plain: Deployment) -> None:
    status, body, _ = await asked(plain, "POST", "/api/v1/jobs/", data=b"no form at all")
    assert (status, body["detail"]) == (401, _NO_KEY)


async def test_artifacts_without_a_key(plain: Deployment) -> None:
    status, body, _ = await asked(plain, "GET", "/api/v1/jobs/some/artifacts")
    assert (status, body["detail"]) == (403, "Not authenticated")


@pytest.mark.parametrize(
    "path", ["/health", "/api/v1/health", "/api/v1/pipelines/", "/api/v1/system/health", "/openapi.json"]
)
async def test_open_to_everybody(plain: Deployment, path: str) -> None:
    assert (await asked(plain, "GET", path))[0] == 200


async def test_debug_is_off_unless_enabled(plain: Deployment) -> None:
    for path in ("server-info", "token-info", "pipelines", "request-log", "background-jobs", "mock-events"):
        assert (await with_key(plain, "GET", f"/api/v1/debug/{path}"))[:2] == (404, {"detail": "Not Found"})


@pytest.mark.parametrize("origin", ["http://localhost:5173", "http://127.0.0.1:19011"])
async def test_origins_that_may_call(plain: Deployment, origin: str) -> None:
    preflight = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    status, _, headers = await asked(plain, "OPTIONS", "/api/v1/jobs", headers=preflight)
    assert status == 200
    assert headers["Access-Control-Allow-Origin"] == origin
    assert headers["Access-Control-Allow-Credentials"] == "true"
    assert headers["Access-Control-Max-Age"] == "600"
    assert headers["Access-Control-Allow-Headers"] == "authorization"
    _, _, headers = await asked(plain, "GET", "/api/v1/health", headers={"Origin": origin})
    assert headers["Access-Control-Allow-Origin"] == origin


async def test_other_origins_may_not(plain: Deployment) -> None:
    preflight = {"Origin": "http://elsewhere.example", "Access-Control-Request-Method": "GET"}
    status, body, _ = await asked(plain, "OPTIONS", "/api/v1/jobs", headers=preflight)
    assert (status, body) == (400, "Disallowed CORS origin")


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
async def test_pages(plain: Deployment, path: str) -> None:
    status, body, _ = await asked(plain, "GET", path)
    assert status == 200
    assert "openapi" in body or "<script" in body
