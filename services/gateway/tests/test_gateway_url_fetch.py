"""Fetching media from an address, from a server of the test's own in an opened network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from gateway_kit import MP4, Gateway, form

from frameloom.common.errors import FrameloomError
from frameloom.gateway.ingest.fetching import FetchLimits, UrlFetcher
from frameloom.gateway.ingest.rules import UrlRules
from frameloom.gateway.settings import UrlSettings


@dataclass
class Site:
    """A web server, names that lead to it, and what was asked of it."""

    port: int = 0
    asked: list[tuple[str, str]] = field(default_factory=list)
    looked_up: list[str] = field(default_factory=list)
    names: dict[str, Sequence[str]] = field(default_factory=lambda: {"media.test": ["127.0.0.1"]})
    handler: Any = None

    async def lookup(self, host: str, _: int) -> Sequence[str]:
        self.looked_up.append(host)
        if host not in self.names:
            raise OSError("unknown")
        return self.names[host]

    def url(self, path: str = "/clip.mp4", host: str = "media.test") -> str:
        return f"http://{host}:{self.port}{path}"

    def fetcher(self, rules: UrlRules | None = None, **limits: Any) -> UrlFetcher:
        defaults: dict[str, Any] = {
            "max_bytes": 100_000,
            "max_seconds": 20.0,
            "connect_seconds": 5.0,
            "idle_seconds": 5.0,
            "min_bytes_per_second": 0.0,
            "grace_seconds": 0.0,
            "redirects": 3,
        }
        return UrlFetcher(rules or self.rules(), FetchLimits(**{**defaults, **limits}), self.lookup)

    def rules(self, *networks: str) -> UrlRules:
        return UrlRules(
            http_hosts=("media.test", ".media.test", "127.0.0.1"),
            networks=tuple(ip_network(one) for one in networks or ("127.0.0.0/8",)),
            ports=frozenset({self.port}),
        )


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    made = Site()

    async def answer(request: web.Request) -> web.StreamResponse:
        made.asked.append((request.headers["Host"], request.path))
        if made.handler is not None:
            return await made.handler(request)  # type: ignore[no-any-return]
        return web.Response(body=MP4)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(app) as server:
        assert server.port is not None
        made.port = server.port
        yield made


async def fetched(fetcher: UrlFetcher, url: str) -> tuple[str | None, bytes]:
    async with fetcher.opened(url) as found:
        return found.filename, b"".join([chunk async for chunk in found.chunks])


async def refused(fetcher: UrlFetcher, url: str) -> FrameloomError:
    with pytest.raises(FrameloomError) as error:
        await fetched(fetcher, url)
    return error.value


async def test_a_file_is_fetched_under_its_name(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert await fetched(site.fetcher(), site.url("/a/clip%201.mp4")) == ("clip 1.mp4", MP4)
    assert site.asked == [(f"media.test:{site.port}", "/a/clip 1.mp4")]
    assert site.looked_up == ["media.test"]


async def test_a_name_that_leads_inside_is_not_connected_to(site: Site) -> None:
    fetcher = site.fetcher(site.rules("10.0.0.0/8"))
    for addresses in (["127.0.0.1"], ["::1"], ["10.0.0.1", "127.0.0.1"], ["fe80::1%lo"], ["no address"], []):
        site.names["media.test"] = addresses
        error = await refused(fetcher, site.url())
        assert error.code == "VIDEO_URL_REFUSED"
        assert "127" not in error.message
    assert site.asked == []


async def test_what_a_name_leads_to_later_plays_no_part(site: Site) -> None:
    """DNS rebinding: the second answer is another one, but nobody asks a second time."""
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])

    async def rebinding(_: str, __: int) -> Sequence[str]:
        return next(answers)

    site.lookup = rebinding  # type: ignore[method-assign]
    assert (await fetched(site.fetcher(), site.url()))[1] == MP4
    assert next(answers) == ["10.0.0.1"]


async def test_where_it_leads_to_is_checked_too(site: Site) -> None:
    async def leading(request: web.Request) -> web.StreamResponse:
        to = request.query.get("to")
        return web.Response(status=302, headers={"Location": to}) if to else web.Response(body=MP4)

    site.handler = leading
    site.names |= {"inside.media.test": ["10.0.0.1"], "b.media.test": ["127.0.0.2", "127.0.0.1"]}
    fetcher = site.fetcher()
    assert await fetched(fetcher, site.url("/x?to=/y.mp4")) == ("y.mp4", MP4)
    assert (await fetched(fetcher, site.url(f"/x?to={site.url(host='b.media.test')}")))[1] == MP4
    for to in (
        site.url(host="inside.media.test"),
        "http://10.0.0.1/",
        "https://[::ffff:127.0.0.1]/",
        "file:///etc/passwd",
        "http://other.test/",
        "https://media.test:22/",
    ):
        assert (await refused(fetcher, site.url(f"/x?to={to}"))).code == "VIDEO_URL_REFUSED", to
    assert (await refused(site.fetcher(redirects=0), site.url("/x?to=/y"))).code == "VIDEO_URL_FAILED"


async def test_it_does_not_go_round_in_circles(site: Site) -> None:
    async def circle(_: web.Request) -> web.StreamResponse:
        return web.Response(status=301, headers={"Location": "/again"})

    site.handler = circle
    assert "too often" in (await refused(site.fetcher(), site.url())).message
    assert len(site.asked) == 4


@pytest.mark.parametrize(
    ("answer", "code", "told"),
    [
        ({"status": 404}, "VIDEO_URL_FAILED", "404"),
        ({"status": 206, "body": MP4}, "VIDEO_URL_FAILED", "206"),
        ({"body": MP4, "headers": {"Content-Encoding": "gzip"}}, "VIDEO_URL_FAILED", "compressed"),
        ({"body": b"x" * 100_001}, "PAYLOAD_TOO_LARGE", "100000"),
    ],
)
async def test_an_answer_that_is_no_file_is_refused(
    site: Site, answer: dict[str, Any], code: str, told: str
) -> None:
    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(**answer)

    site.handler = handler
    error = await refused(site.fetcher(), site.url())
    assert (error.code, error.status // 100) == (code, 4)
    assert told in error.message


async def test_a_server_that_dawdles_is_given_up(site: Site) -> None:
    gone = asyncio.Event()

    async def dawdling(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(MP4[:100])
        await gone.wait()
        return response

    site.handler = dawdling
    for limits in ({"max_seconds": 0.3}, {"idle_seconds": 0.3}):
        error = await refused(site.fetcher(**limits), site.url())
        assert "in time" in error.message
    gone.set()


async def test_a_server_that_breaks_off_gives_no_file(site: Site) -> None:
    async def breaking(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "5000"})
        await response.prepare(request)
        await response.write(MP4[:100])
        assert request.transport is not None
        request.transport.abort()
        return response

    site.handler = breaking
    assert (await refused(site.fetcher(), site.url())).code == "VIDEO_URL_FAILED"


async def test_nobody_is_there(site: Site) -> None:
    unknown = await refused(site.fetcher(), site.url(host="no.media.test"))
    assert unknown.code == "VIDEO_URL_REFUSED"
    rules = UrlRules(http_hosts=("media.test",), networks=(ip_network("127.0.0.0/8"),), ports=frozenset({1}))
    assert "reached" in (await refused(site.fetcher(rules), "http://media.test:1/")).message
    plain = await refused(site.fetcher(), site.url().replace("http:", "https:"))
    assert "certificate" in plain.message
    assert site.asked == []


class TestSubmission:
    """The field ``video_url`` of a submission."""

    @asynccontextmanager
    async def gateway(self, site: Site) -> AsyncIterator[Gateway]:
        url = UrlSettings(
            ingestion=True, http_hosts=("127.0.0.1",), networks=("127.0.0.0/8",), ports=(site.port,)
        )
        async with Gateway(url=url).running() as made:
            yield made

    async def test_a_job_is_made_of_an_address(self, site: Site) -> None:
        address = site.url(host="127.0.0.1")
        async with self.gateway(site) as gateway:
            fields = {"video_url": address, "selected_pipelines": "scene_detection"}
            status, job = await gateway.post(form(None, fields=fields))
            assert (status, job["video_filename"], job["video_size_bytes"]) == (201, "clip.mp4", len(MP4))
            body = {"video_url": address, "selected_pipelines": ["scene_detection"], "config": {}}
            async with gateway.client.post("/api/v1/jobs/", json=body) as answer:
                job = await answer.json()
            assert (answer.status, job["selected_pipelines"]) == (201, ["scene_detection"])
            assert len(gateway.jobs.held) == 2
            assert {key.split("/")[0] for key in gateway.objects.held} == {"media"}

    async def test_what_is_wrong_is_told_before_anything_is_fetched(self, site: Site) -> None:
        address = site.url(host="127.0.0.1")
        async with self.gateway(site) as gateway:
            for fields, status, code in (
                ({"video_url": "https://10.0.0.1/"}, 400, "VIDEO_URL_REFUSED"),
                ({"video_url": address, "selected_pipelines": "nothing"}, 400, "PIPELINE_NOT_FOUND"),
            ):
                answered, body = await gateway.post(form(None, fields=fields))
                assert (answered, body["error"]["code"]) == (status, code)
            for first in (True, False):
                answered, body = await gateway.post(form(fields={"video_url": address}, video_first=first))
                assert (answered, body["error"]["code"]) == (400, "INVALID_REQUEST")
            answered, body = await gateway.post(form(None, fields={"video_url": " "}))
            assert (answered, body["detail"][0]["loc"]) == (422, ["body", "video"])
            for document in ({}, {"video_url": 1}, {"video_url": address, "x": 1}, [1]):
                async with gateway.client.post("/api/v1/jobs/", json=document) as answer:
                    assert answer.status == 422
                    assert (await answer.json())["detail"][0]["loc"][0] == "body"
            assert (site.asked, gateway.objects.held, gateway.jobs.held) == ([], {}, {})

    async def test_what_is_no_video_leaves_nothing(self, site: Site) -> None:
        async def letter(_: web.Request) -> web.StreamResponse:
            return web.Response(text="This is a letter. " * 100)

        site.handler = letter
        async with self.gateway(site) as gateway:
            fields = {"video_url": site.url(host="127.0.0.1")}
            status, body = await gateway.post(form(None, fields=fields))
            assert (status, body["error"]["code"]) == (415, "UNSUPPORTED_MEDIA")
            assert (gateway.objects.held, gateway.jobs.held) == ({}, {})

    async def test_unless_the_operator_allows_it_nothing_is_fetched(self, site: Site) -> None:
        async with Gateway().running() as gateway:
            for answered in (
                await gateway.post(form(None, fields={"video_url": site.url()})),
                await gateway.post(
                    f'{{"video_url": "{site.url()}"}}', headers={"Content-Type": "application/json"}
                ),
            ):
                assert (answered[0], answered[1]["error"]["code"]) == (400, "VIDEO_URL_DISABLED")
                assert "FRAMELOOM_GATEWAY_URL_INGESTION" in answered[1]["error"]["hint"]
            assert site.asked == []
